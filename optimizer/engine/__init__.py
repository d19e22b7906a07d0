"""Runs stages in isolated processes, scheduled by Dask, and keeps the store up to date."""
