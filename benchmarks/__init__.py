"""Benchmarks: a generator of big conda-like roots, and the race against du, ncdu and gdu."""
