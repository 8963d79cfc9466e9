"""Figures and verdicts from an inventory and records: usage, package users, causes."""
