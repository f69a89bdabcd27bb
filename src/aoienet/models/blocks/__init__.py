"""Blocks of a body, one file each: a frozen dataclass and the module that it builds."""
