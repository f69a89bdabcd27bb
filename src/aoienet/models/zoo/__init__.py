"""One file per network: its spec as data."""
