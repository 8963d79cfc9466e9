"""Readers of what conda, pip and others wrote down: tolerant and bounded."""
