"""What is run in the documents, when what is shown counts as what is printed, and the pictures."""

from __future__ import annotations

import os
import re

import pytest

from tests.docs.blocks import Step, documents, read, rewritten, steps_of
from tests.docs.comparing import columns_out_of_line, difference, is_laid_out_alike
from tests.docs.sessions import shown_in, with_outputs
from tests.docs.sets_picture import build_example, draw_sets
from tests.docs.terminal_picture import draw_terminal, text_of_picture
from tests.support.repository import TOP

PAGE = """\
# A page

```console
$ first
one
two
$ second | third
```

```sh
not run
```

<!-- not run: it needs a network -->
```console
$ fetch
```

```console
$ fourth
four
```
"""
OUTSIDE = re.compile(r"https?://(?!www\.w3\.org/)|@font-face|@import|url\((?!#)")


def pictures():
    folder = os.path.join(TOP, "docs", "images")
    return sorted(name for name in os.listdir(folder) if name.endswith(".svg"))


def disk_map(name):
    with open(os.path.join(TOP, "docs", "images", name), encoding="utf-8") as file:
        return file.read()


def test_every_block_with_commands_is_run_unless_it_says_why_not():
    assert steps_of(PAGE) == [
        Step("first", "one\ntwo\n"),
        Step("second | third", ""),
        Step("fourth", "four\n"),
    ]


@pytest.mark.parametrize("above", ["<!-- not run -->", "<!-- not run: -->"])
def test_a_block_that_is_not_run_says_why(above):
    with pytest.raises(ValueError, match="say why"):
        steps_of(f"{above}\n```console\n$ fetch\n```\n")


def test_a_block_begins_with_a_command():
    with pytest.raises(ValueError, match="begins with"):
        steps_of("```console\nnothing\n```\n")


def test_outputs_are_written_below_their_commands_and_nothing_else_is_changed():
    written = rewritten(PAGE, lambda command: f"{command} says\n")
    assert steps_of(written) == [
        Step("first", "first says\n"),
        Step("second | third", "second | third says\n"),
        Step("fourth", "fourth says\n"),
    ]
    shown = {step.command: step.output for step in steps_of(PAGE)}
    assert rewritten(written, shown.__getitem__) == PAGE


SESSION = """\
```pycon
>>> first()
1
>>> for each in range(2):
...     print(each)
0
1
```

Text.

```pycon
>>> nothing = None
```
"""


def test_outputs_are_written_below_their_statements_and_nothing_else_is_changed():
    assert shown_in(SESSION) == ["1\n", "0\n1\n", ""]
    assert shown_in(PAGE) == []
    written = with_outputs(SESSION, ["2\n", "", "new\n"])
    assert shown_in(written) == ["2\n", "", "new\n"]
    assert with_outputs(written, shown_in(SESSION)) == SESSION


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a  27.3 MiB\n", "a 27.4 MiB"),
        ("saves 10.0 MiB and\n  12 inodes", "saves 10.0 MiB and 12 inodes"),
        ("on 2026-11-22 01:02", "on 2027-01-01 22:22"),
        ("███▒", "██▒▒"),
        ("1.1M\tconda/envs/a", "1.2M\tconda/envs/a"),
        ("944 KiB", "1.0 MiB"),
        ("47 %", "48 %"),
        ("51234816 50000000 /pkgs", "51238912 50000000 /pkgs"),
    ],
)
def test_values_that_change_from_run_to_run_are_ignored(shown, printed):
    assert difference(shown, printed) == ""


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ("a 27.3 MiB", "b 27.3 MiB"),
        ("27.3 MiB", "93.4 MiB"),
        ("0 B", "8.0 KiB"),
        ("12 inodes", "13 inodes"),
        ("███▒", "███░"),
        ("47 %", "4.7 MiB"),
        ("7 MiB 7 MiB", "7 MiB"),
        ("", "one line more"),
    ],
)
def test_anything_else_is_a_difference(shown, printed):
    assert difference(shown, printed) != ""


@pytest.mark.parametrize(
    ("shown", "printed", "alike"),
    [
        ("a  27.3 MiB  ██▒\n", "a  31.4 MiB  █▒▒\n", True),
        ("a  2026-11-22  b\n", "a  2027-01-01  b\n", True),
        ("NAME     SIZE\na  1.0 MiB\n", "NAME  SIZE\na  1.0 MiB\n", False),
    ],
)
def test_columns_are_compared_without_figures(shown, printed, alike):
    assert is_laid_out_alike(shown, printed) is alike


TABLE = """\
PACKAGE CACHE       SIZE     USED
/data/pkgs      96.6 MiB  1.0 MiB
/a b/pkgs        1.6 MiB      0 B

text of  its own
"""


def test_a_table_lines_up_with_its_headings():
    assert columns_out_of_line(TABLE) == []
    moved = TABLE.replace("/a b/pkgs ", "/a b/pkgs")
    assert columns_out_of_line(moved) == ["/a b/pkgs       1.6 MiB      0 B"]


@pytest.mark.parametrize("document", documents())
def test_tables_in_a_document_line_up(document):
    outputs = "\n\n".join(step.output for step in steps_of(read(document)))
    assert columns_out_of_line(outputs) == []


def test_a_picture_of_a_terminal_has_its_text():
    printed = "\x1b[1mNAME   \x1b[0m  SIZE\n\x1b[33m! a & b < c\x1b[0m ▒▒\n"
    svg = draw_terminal("name", "a command", printed)
    lines = [" ".join(line.split()) for line in text_of_picture(svg).splitlines()]
    assert lines == ["$ a command", "NAME SIZE", "! a & b < c ▒▒"]


@pytest.mark.parametrize("name", pictures())
def test_a_picture_loads_nothing(name):
    text = re.sub(r"<metadata>.*?</metadata>", "", disk_map(name), flags=re.DOTALL)
    assert OUTSIDE.findall(text.replace("http://www.w3.org/", "")) == []


def test_the_picture_of_the_sets_has_the_figures_of_a_report(tmp_path):
    assert draw_sets(build_example(f"{tmp_path}/example")) == disk_map("accounting.svg")
