"""Explanations of packages and files, as text and as JSON."""

from __future__ import annotations

import io
import json
import os

import pytest

from conda_hardlink_plugin.analysis.verdicts import Verdict
from conda_hardlink_plugin.render.explain import print_file, print_package, render_explanation
from conda_hardlink_plugin.render.terminal import Terminal
from conda_hardlink_plugin.report.explain import FileExplanation, PackageExplanation, Witness
from tests.support.figures import KIB, MIB

NOON_NS = 1_600_000_000 * 1_000_000_000  # 2020-09-13, at 12:26:40 UTC
ODD = os.fsdecode(b"esc\x1b[31m\nnew\xff")
SHOWN = "esc\\x1b[31m\\nnew\\xff"

pytestmark = pytest.mark.usefixtures("utc")


def witness(use, path, name="work"):
    return Witness(name, f"/envs/{name}", use, f"/envs/{name}/{path}")


def package(verdict="unused", **more):
    fields = {
        "reasons": (),
        "size_bytes": 2 * MIB,
        "exclusive_bytes": 512 * KIB,
        "last_use_ns": NOON_NS,
        "url": "https://made.up/p-1-0.conda",
        "witnesses": (),
        "linked_outside": (),
        "would_break": (),
    }
    return PackageExplanation("p-1-0", "/pkgs/p-1-0", verdict, **{**fields, **more})


def file(**more):
    fields = {
        "path": "/envs/work/lib/f",
        "size_bytes": 3 * KIB,
        "exclusive_bytes": 0,
        "link_count": 2,
        "links": ("/envs/work/lib/f", "/pkgs/p-1-0/lib/f"),
        "leads_to": None,
        "packages": ("/pkgs/p-1-0",),
        "archive_of": None,
    }
    return FileExplanation(**{**fields, **more})


def of_package(explanation, columns=None, *, verbose=False):
    stream = io.StringIO()
    print_package(explanation, Terminal(stream, columns), verbose=verbose)
    return stream.getvalue()


def of_file(explanation, columns=None):
    stream = io.StringIO()
    print_file(explanation, Terminal(stream, columns))
    return stream.getvalue()


def test_an_unused_package_is_explained_in_a_few_lines():
    assert of_package(package()) == (
        """\
p-1-0: unused
No environment uses it: `conda hardlinks clean` removes it.
/pkgs/p-1-0
It takes 2.0 MiB (2,097,152 bytes); removing it frees 512 KiB (524,288 bytes).
Last extracted or prepared for linking: 2020-09-13 12:26.
Source: https://made.up/p-1-0.conda
Removing it would break nothing.
"""
    )


def test_a_used_package_names_the_files_of_each_environment():
    explanation = package(
        "linked",
        reasons=("extracted a moment ago",),
        witnesses=(
            witness("hardlink", "lib/a"),
            witness("hardlink", "lib/b"),
            witness("hardlink", "lib/a", "other"),
            witness("softlink", "lib/s", "soft"),
            witness("record", "conda-meta/p-1-0.json"),
        ),
        linked_outside=("/pkgs/p-1-0/lib/a",),
        would_break=("soft", "/envs/nameless"),
    )
    assert of_package(explanation) == (
        """\
p-1-0: linked
It is in use: some of its files have hard links elsewhere.
/pkgs/p-1-0
It takes 2.0 MiB (2,097,152 bytes); removing it frees 512 KiB (524,288 bytes).
Last extracted or prepared for linking: 2020-09-13 12:26.
Source: https://made.up/p-1-0.conda
Hard links in work:
  /envs/work/lib/a
  /envs/work/lib/b
Hard links in other:
  /envs/other/lib/a
Symbolic links in soft:
  /envs/soft/lib/s
Recorded in work:
  /envs/work/conda-meta/p-1-0.json
Linked from outside the scanned trees:
  /pkgs/p-1-0/lib/a
Removing it would break soft, /envs/nameless: symbolic links there would dangle.
"""
    )


@pytest.mark.parametrize("verdict", [verdict.value for verdict in Verdict])
def test_every_verdict_has_a_sentence_and_unused_packages_list_reasons(verdict):
    text = of_package(package(verdict, reasons=("one reason", "another")))
    heading, sentence = text.splitlines()[:2]
    assert heading == f"p-1-0: {verdict}"
    assert sentence.endswith(".")
    in_use = verdict in ("linked", "softlinked")
    assert sentence.startswith("It is in use") is in_use
    assert ("! one reason\n! another\n" in text) is not in_use


def test_an_unknown_source_is_shown():
    text = of_package(package("unverifiable", last_use_ns=None, url="", reasons=("p: no JSON",)))
    assert "Last extracted" not in text
    assert "\nSource: unknown\n" in text
    assert "! p: no JSON\n" in text


@pytest.mark.parametrize("witnesses", [(witness("record", "r"),), (witness("hardlink", "f"),)])
def test_removing_a_package_keeps_copies_and_hard_links(witnesses):
    text = of_package(package("recorded", witnesses=witnesses))
    assert text.endswith(
        "Removing it would break nothing: hard links and copies keep their files.\n"
    )


def test_a_long_list_of_files_is_cut_unless_verbose():
    many = tuple(witness("hardlink", f"f{number}") for number in range(7))
    one = tuple(witness("hardlink", f"f{number}", "other") for number in range(6))
    outside = tuple(f"/pkgs/p-1-0/{number}" for number in range(1_005))
    explanation = package("linked", witnesses=(*many, *one), linked_outside=outside)
    text = of_package(explanation)
    assert "  /envs/work/f4\n  ... and 2 more files: -v shows all.\nHard links in other:\n" in text
    assert "  /envs/other/f4\n  ... and 1 more file: -v shows all.\n" in text
    assert "  /pkgs/p-1-0/4\n  ... and 1,000 more files: -v shows all.\n" in text
    everything = of_package(explanation, verbose=True)
    assert everything.count("\n  /") == 7 + 6 + 1_005
    assert "more" not in everything


def test_a_narrow_terminal_gets_folded_and_indented_sentences():
    explanation = package("recorded", reasons=("a reason that is longer than a line",))
    assert of_package(explanation, 40).splitlines() == [
        "p-1-0: recorded",
        "An environment records it but has no",
        "  link into it: either its files are",
        "  copies there, or it has no files.",
        "  `conda hardlinks clean` keeps it",
        "  unless you add --copied and every",
        "  record rules out symbolic links.",
        "! a reason that is longer than a line",
        "/pkgs/p-1-0",
        "It takes 2.0 MiB (2,097,152 bytes);",
        "removing it frees 512 KiB (524,288",
        "bytes).",
        "Last extracted or prepared for linking:",
        "2020-09-13 12:26.",
        "Source: https://made.up/p-1-0.conda",
        "Removing it would break nothing.",
    ]


def test_a_file_has_its_links_its_inode_and_its_packages():
    assert of_file(file(link_count=4)) == (
        """\
/envs/work/lib/f
Its inode takes 3.0 KiB (3,072 bytes) and has 4 links; removing this link frees nothing.
Links in the scanned trees:
  /envs/work/lib/f
  /pkgs/p-1-0/lib/f
2 links outside the scanned trees.

"""
    )


def test_a_file_outside_every_package():
    explanation = file(exclusive_bytes=3 * KIB, link_count=1, links=(), packages=())
    assert of_file(explanation) == (
        """\
/envs/work/lib/f
Its inode takes 3.0 KiB (3,072 bytes) and has 1 link; removing this link frees 3.0 KiB.
1 link outside the scanned trees.
No cached package contains it.
"""
    )


def test_a_symbolic_link_shows_its_target():
    explanation = file(size_bytes=0, link_count=1, links=("/envs/work/lib/f",), leads_to="/pkgs/p")
    assert of_file(explanation) == (
        """\
/envs/work/lib/f
Its inode takes 0 B (0 bytes) and has 1 link; removing this link frees nothing.
It is a symbolic link to /pkgs/p
Links in the scanned trees:
  /envs/work/lib/f

"""
    )


@pytest.mark.parametrize("columns", [None, 40])
def test_hostile_names_are_escaped(columns):
    explanation = package(
        "unverifiable",
        reasons=(f"/{ODD}: permission denied",),
        url=f"https://{ODD}",
        witnesses=(witness("softlink", ODD, ODD),),
        linked_outside=(f"/{ODD}",),
        would_break=(ODD,),
    )
    text = of_package(explanation, columns)
    assert all(line.isprintable() for line in text.splitlines())
    assert "".join(text.split()).count(SHOWN) == 7
    text = of_file(file(path=f"/{ODD}", links=(f"/{ODD}",), leads_to=f"/{ODD}"), columns)
    assert all(line.isprintable() for line in text.splitlines())
    assert "".join(text.split()).count(SHOWN) == 3


def test_json_has_the_package_the_file_or_both():
    explanation = package("softlinked", witnesses=(witness("softlink", ODD),), last_use_ns=None)
    fields = {
        "name": "p-1-0",
        "path": "/pkgs/p-1-0",
        "verdict": "softlinked",
        "reasons": [],
        "size_bytes": 2 * MIB,
        "exclusive_bytes": 512 * KIB,
        "last_use_ns": None,
        "url": "https://made.up/p-1-0.conda",
        "witnesses": [
            {
                "name": "work",
                "prefix": "/envs/work",
                "use": "softlink",
                "path": f"/envs/work/{ODD}",
            }
        ],
        "linked_outside": [],
        "would_break": [],
    }
    of_file_alone = {
        "file": {
            "path": "/envs/work/lib/f",
            "size_bytes": 3 * KIB,
            "exclusive_bytes": 0,
            "link_count": 2,
            "links": ["/envs/work/lib/f", "/pkgs/p-1-0/lib/f"],
            "leads_to": None,
            "packages": ["/pkgs/p-1-0"],
            "archive_of": None,
        }
    }
    always = {"schema_version": 1, "success": True}
    for arguments, expected in (
        ((explanation, None), always | fields),
        ((None, file()), always | of_file_alone),
        ((explanation, file()), always | fields | of_file_alone),
    ):
        text = render_explanation(*arguments)
        assert text.isascii()
        assert text.endswith("\n}\n")
        assert json.loads(text) == expected


@pytest.mark.parametrize("extracted", [True, False])
def test_an_archive_names_its_package(tmp_path, extracted):
    package = tmp_path / "p-1-0"
    if extracted:
        package.mkdir()
    text = of_file(file(packages=(), archive_of=str(package)))
    state = "extracted" if extracted else "not extracted"
    assert f"It is the archive of p-1-0, which is {state} beside it. `conda hardlinks clean" in text
    assert "No cached package" not in text
