"""Nonlinearities of the real-valued stream, one file each. Built as kind(channels)."""
