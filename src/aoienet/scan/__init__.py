"""Scanning pictures of any size: windowed reading, tile geometry, and the loop that joins them to a model given as a
callable."""
