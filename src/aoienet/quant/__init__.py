"""Quantizers: `act/` and `weight/` hold one file each, found by themselves (aoienet.parts)."""
