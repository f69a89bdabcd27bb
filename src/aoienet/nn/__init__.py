"""Layers of binary networks: planes, binary convolution, Maxout, shortcuts, stems."""
