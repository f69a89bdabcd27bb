"""Packed models: the file format, its interpreter, and the way from a trained network to the file."""
