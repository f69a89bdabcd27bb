"""Layers: binary convolution, planes and their merges, scales, nonlinearities, shortcuts. One file per part."""
