"""Readers of conda's lists: environments.txt and urls.txt."""

from __future__ import annotations

import os

from ..filesystem.problems import PathProblem
from .bounded_reader import is_missing, read_record_bytes


def read_environments_txt(path: str) -> list[str] | PathProblem:
    """Return the lines of `environments.txt` that list a prefix; none if there is no such file.

    As they stand: the name of a folder may end in a space.
    """
    if is_missing(path):
        return []
    content = read_record_bytes(path)
    if isinstance(content, PathProblem):
        return content
    lines = content.splitlines()
    return [os.fsdecode(line) for line in lines if line.strip() and not line.startswith(b"#")]


def read_urls_txt(path: str) -> list[str] | PathProblem:
    """Return the URLs in a cache's `urls.txt`, which conda and mamba add to; none if there is none.

    Where something else stands in front of a URL, as older condas wrote, only the URL is taken.
    """
    if is_missing(path):
        return []
    content = read_record_bytes(path)
    if isinstance(content, PathProblem):
        return content
    lines = (os.fsdecode(line).split() for line in content.splitlines())
    return [words[-1] for words in lines if words]
