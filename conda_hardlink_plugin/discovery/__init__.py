"""Which package caches and environments there are."""
