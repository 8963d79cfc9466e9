"""Render results as text, HTML, JSON and other formats, one format per file."""
