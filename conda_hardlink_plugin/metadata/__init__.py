"""Readers of the records that conda, pip, and others write: tolerant and bounded."""
