"""Who does the tasks of a batch: this machine (local.py) or a Dask cluster (dask.py). The bytes are the same."""
