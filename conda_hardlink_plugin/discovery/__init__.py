"""Which package caches and environments there are, by conda's context and lists."""
