"""Hooks around conda's own commands: summary, warnings, the `conda clean` guard, doctor checks."""
