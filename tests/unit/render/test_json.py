"""The report as one JSON object."""

from __future__ import annotations

import json
import os

from conda_hardlink_plugin.analysis.usage import Measure
from conda_hardlink_plugin.analysis.verdicts import PackageUser
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.render.json import render_json
from conda_hardlink_plugin.report.environment_detail import (
    EnvironmentDetail,
    PackagePrivate,
    SharedWith,
)
from conda_hardlink_plugin.report.model import DuRow, IfRemoved
from conda_hardlink_plugin.report.packages import PackageFigures
from tests.support.figures import KIB, MIB, environment, report, small_report

SOFT = {
    "name": "soft",
    "prefix": "/conda/envs/soft",
    "size_bytes": 1536,
    "shared_bytes": 0,
    "exclusive_bytes": 1536,
    "with_clean_bytes": 1536,
    "softlinked": True,
    "softlinked_bytes": 512,
    "softlinks": 0,
    "broken_softlinks": 0,
    "inodes": 3,
    "links": 3,
    "outside_linked_inodes": 0,
    "incomplete": False,
    "on_other_filesystem": False,
}
WORK = SOFT | {
    "name": "work",
    "prefix": "/conda/envs/work",
    "size_bytes": 2 * MIB,
    "shared_bytes": 1536 * KIB,
    "exclusive_bytes": 512 * KIB,
    "with_clean_bytes": 1536 * KIB,
    "softlinked": False,
    "softlinked_bytes": 0,
    "inodes": 1200,
    "links": 1234,
}
WHOLE = {
    "schema_version": 1,
    "success": True,
    "measure": "disk",
    "environments": [SOFT, WORK],
    "caches": [
        {
            "path": "/conda/pkgs",
            "size_bytes": 3 * MIB,
            "used_bytes": MIB,
            "kept_bytes": 0,
            "unused_bytes": MIB // 2,
            "tarball_bytes": MIB,
            "quarantine_bytes": 0,
            "other_bytes": MIB // 2,
            "packages": 2,
            "kept_packages": 0,
            "unused_packages": 1,
            "inodes": 30,
            "links": 31,
            "incomplete": False,
        }
    ],
    "totals": {
        "on_disk_bytes": 4 * MIB,
        "as_copies_bytes": 6 * MIB,
        "saved_bytes": 2 * MIB,
        "inodes": 40,
        "saved_inodes": 20,
        "links": 62,
        "outside_links": 1,
        "outside_linked_inodes": 1,
    },
    "devices": [
        {
            "device": 7,
            "filesystem": "ext4",
            "on_disk_bytes": 4 * MIB,
            "roots": ["/conda/pkgs", "/conda/envs/work"],
        }
    ],
    "unreachable": [{"path": "/disk/env", "reason": "its folder cannot be reached"}],
    "unreadable": [],
    "stale": ["/gone"],
    "aliases": {"/cache": "/conda/pkgs"},
    "incomplete": False,
    "warnings": ["1 file is also linked from outside the scanned trees."],
    "reading": {"mode": "full", "taken_s": None, "reader": "python"},
}


def test_a_report_is_one_object_with_every_figure():
    text = render_json(small_report())
    assert json.loads(text) == WHOLE
    assert text.endswith("}\n")


def test_fields_keep_their_order():
    assert list(json.loads(render_json(small_report()))) == list(WHOLE)


def test_requested_parts_are_added():
    shown = report(
        environment("env", 5, 5, private_bytes=5, private={"pip": 5}),
        measure=Measure.APPARENT,
        packages=(
            PackageFigures(
                name="a-1-0",
                path="/pkgs/a-1-0",
                size_bytes=7,
                environments=(PackageUser("env", "/conda/envs/env", "softlink"),),
                used_outside=False,
                verdict="softlinked",
                unused=False,
            ),
        ),
        du=(DuRow("/pkgs", 7, 6),),
        if_removed=IfRemoved(("env",), (), 5, 12),
        detail=EnvironmentDetail(
            prefix="/conda/envs/env",
            private={"pip": 5},
            packages=(PackagePrivate("a-1-0", 0),),
            shares_with=(SharedWith("other", "/other", 3),),
            copied_packages=("b-1-0",),
        ),
    )
    content = json.loads(render_json(shown))
    assert content["measure"] == "apparent"
    assert content["environments"][0]["private_bytes"] == 5
    assert content["environments"][0]["private"] == {"pip": 5}
    assert {key: content[key] for key in content.keys() - WHOLE.keys()} == {
        "packages": [
            {
                "name": "a-1-0",
                "path": "/pkgs/a-1-0",
                "size_bytes": 7,
                "environments": [{"name": "env", "prefix": "/conda/envs/env", "use": "softlink"}],
                "used_outside": False,
                "verdict": "softlinked",
                "unused": False,
            }
        ],
        "du": [{"path": "/pkgs", "alone_bytes": 7, "added_bytes": 6}],
        "if_removed": {
            "environments": ["env"],
            "inside": [],
            "exclusive_bytes": 5,
            "with_clean_bytes": 12,
        },
        "detail": {
            "prefix": "/conda/envs/env",
            "private": {"pip": 5},
            "packages": [{"name": "a-1-0", "exclusive_bytes": 0}],
            "shares_with": [{"name": "other", "prefix": "/other", "shared_bytes": 3}],
            "copied_packages": ["b-1-0"],
        },
    }


def test_empty_requested_parts_are_present():
    content = json.loads(render_json(report(packages=(), du=())))
    assert content["packages"] == []
    assert content["du"] == []


def test_names_keep_their_bytes_in_ascii():
    names = [b"latin-\xe9", b"\x1b[31m", "日本".encode(), b"new\nline", b'"\\']
    shown = report(
        *(environment(os.fsdecode(name)) for name in names),
        unreadable=(PathProblem(os.fsdecode(b"/\xff"), "why"),),
    )
    text = render_json(shown)
    assert text.isascii()
    assert "\x1b" not in text
    assert '"latin-\\udce9"' in text
    content = json.loads(text)
    assert [os.fsencode(item["name"]) for item in content["environments"]] == names
    assert os.fsencode(content["unreadable"][0]["path"]) == b"/\xff"
