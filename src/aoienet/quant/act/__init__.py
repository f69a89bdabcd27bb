"""Activation quantizers, one file each."""
