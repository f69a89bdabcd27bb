"""How binary planes are made of a value and merged in a convolution, one file each.

Built as kind(in_channels, out_channels, cell); forward(x, conv), emit(g, x, conv).
"""
