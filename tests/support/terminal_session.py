"""Asking the real command, in a process of its own."""

from __future__ import annotations

import json
import os


def report_of(installation, *options, measure="disk", env=None):
    """The object that `report --json` prints; that it prints nothing else is asserted."""
    apparent = ("--apparent-size",) if measure == "apparent" else ()
    done = installation.hardlinks("report", "--json", *apparent, *options, env=env)
    assert done.stderr == ""
    return json.loads(done.stdout)


def row_of(report, name):
    """The one row of the environment of this name."""
    (row,) = (row for row in report["environments"] if row["name"] == name)
    return row


def package_of(report, name):
    """The one row of the package of this name, in `--packages`."""
    (row,) = (row for row in report["packages"] if row["name"] == name)
    return row


def unused_of(report):
    """The packages that are unused; that the figures of the caches say the same is asserted."""
    unused = [row["name"] for row in report["packages"] if row["unused"]]
    assert [row["name"] for row in report["packages"] if row["verdict"] == "unused"] == unused
    assert sum(row["unused_packages"] for row in report["caches"]) == len(unused)
    assert any(row["unused_bytes"] for row in report["caches"]) == bool(unused)
    return unused


def trees_of(report):
    """The paths of all caches and environments."""
    caches = [row["path"] for row in report["caches"]]
    return caches + [row["prefix"] for row in report["environments"]]


def make_prefix(path):
    """Make what conda takes for an environment; return its path."""
    os.makedirs(os.path.join(path, "conda-meta"))
    with open(os.path.join(path, "conda-meta", "history"), "x", encoding="utf-8"):
        pass
    return path


def plant(path, size=50_000):
    """Write a file of random bytes, with the directories that lead to it; return its path."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "xb") as file:
        file.write(os.urandom(size))
    return path
