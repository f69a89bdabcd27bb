"""Binary neural networks for optical inspection: training, packed runtime, defect scanning."""

__version__ = "0.1.0"
