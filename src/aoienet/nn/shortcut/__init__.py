"""Shortcuts, one file each. Built as kind(in_channels, out_channels, stride, cell); stride 1 or 2."""
