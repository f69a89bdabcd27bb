"""Data sets, leak-free splits, transforms and metrics in NumPy. Nothing here imports PyTorch."""
