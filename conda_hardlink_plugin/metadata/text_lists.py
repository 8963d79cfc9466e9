"""Readers of conda's lists: `environments.txt` and `urls.txt`."""

from __future__ import annotations

import os

from ..filesystem.problems import PathProblem
from .bounded_reader import is_missing, read_record_bytes


def read_environments_txt(path: str) -> list[str] | PathProblem:
    """Return the prefixes that `environments.txt` lists; an empty list if the file is missing.

    A line is not stripped: the name of a folder may end in a space.
    """
    lines = _lines(path)
    if isinstance(lines, PathProblem):
        return lines
    return [os.fsdecode(line) for line in lines if line.strip() and not line.startswith(b"#")]


def read_urls_txt(path: str) -> list[str] | PathProblem:
    """Return the URLs in a cache's `urls.txt`; an empty list if the file is missing.

    conda and mamba append to that file. Older conda versions wrote other text before a URL; only
    the URL is returned.
    """
    lines = _lines(path)
    if isinstance(lines, PathProblem):
        return lines
    return [words[-1] for line in lines if (words := os.fsdecode(line).split())]


def _lines(path: str) -> list[bytes] | PathProblem:
    content = b"" if is_missing(path) else read_record_bytes(path)
    return content if isinstance(content, PathProblem) else content.splitlines()
