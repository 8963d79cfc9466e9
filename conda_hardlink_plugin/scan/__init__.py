"""Roots to inventory: every directory below the roots is read once."""
