"""Factors on a binary convolution's result, one file each. Built as kind(conv, size of the result's map); forward(y, x) with x
the real input of the planes."""
