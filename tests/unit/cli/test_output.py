"""Standard output: its encoding, and what happens if it is closed, full or no longer read."""

from __future__ import annotations

import io
import os
import sys

import pytest

from conda_hardlink_plugin.cli.output import encoded, is_closed, print_text, show

LATIN = os.fsdecode(b"latin-\xe9")


@pytest.fixture
def stdout_to(monkeypatch):
    """Return a function that makes stdout a real file or pipe."""

    def stdout_to(file, encoding="utf-8"):
        stream = open(file, "w", encoding=encoding)  # noqa: SIM115  # the test closes it
        monkeypatch.setattr(sys, "stdout", stream)
        return stream

    return stdout_to


def pipe_without_a_reader():
    readable, writable = os.pipe()
    os.close(readable)
    return writable


def test_a_name_that_is_not_utf_8_keeps_its_bytes():
    assert encoded(f"é {LATIN}\n") == b"\xc3\xa9 latin-\xe9\n"


@pytest.mark.parametrize("encoding", ["utf-8", "ascii", "utf-16"])
def test_text_is_utf_8_whatever_the_encoding_of_stdout(tmp_path, stdout_to, encoding):
    with stdout_to(tmp_path / "out", encoding) as stream:
        print_text(f"日本 {LATIN}\n\n")
        stream.flush()
        assert (tmp_path / "out").read_bytes() == "日本 ".encode() + b"latin-\xe9\n\n"


def test_text_follows_what_was_printed_before(tmp_path, stdout_to):
    with stdout_to(tmp_path / "out") as stream:
        stream.write("before\n")
        print_text("after\n")
    assert (tmp_path / "out").read_bytes() == b"before\nafter\n"


def test_a_program_that_captures_stdout_gets_the_text(monkeypatch):
    captured = io.StringIO()
    monkeypatch.setattr(sys, "stdout", captured)
    print_text(f"{LATIN}\n")
    assert captured.getvalue() == f"{LATIN}\n"


def test_what_is_shown_is_flushed_at_once(tmp_path, stdout_to):
    with stdout_to(tmp_path / "out"):
        assert show(lambda: sys.stdout.write("shown"))
        assert (tmp_path / "out").read_text() == "shown"


def test_a_reader_that_has_gone_is_not_an_error(stdout_to, capsys):
    with stdout_to(pipe_without_a_reader()) as stream:
        assert not show(lambda: sys.stdout.write("x" * 100_000))
        assert show(lambda: sys.stdout.write("more"))
        stream.write("left to the end of the process")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("text", ["short", "x" * 100_000], ids=len)
def test_a_full_disk_ends_with_1_and_the_reason_on_stderr(stdout_to, capsys, text):
    with stdout_to("/dev/full"), pytest.raises(SystemExit) as stop:
        show(lambda: sys.stdout.write(text))
    assert stop.value.code == 1
    assert capsys.readouterr().err == (
        "The output cannot be written to stdout: no space left on device.\n"
    )


def test_a_full_disk_ends_with_1_without_stderr_too(stdout_to, monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    with stdout_to("/dev/full"), pytest.raises(SystemExit) as stop:
        show(lambda: sys.stdout.write("x"))
    assert stop.value.code == 1


def test_any_other_error_is_not_hidden(stdout_to):
    with stdout_to(os.devnull), pytest.raises(ZeroDivisionError):
        show(lambda: 1 // 0)


def test_a_closed_stdout_is_named_on_stderr(monkeypatch, capsys):
    assert not is_closed("the report")
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys, "stdout", None)
    assert is_closed("the report")
    assert capsys.readouterr().err == "stdout is closed: cannot print the report.\n"
    monkeypatch.setattr(sys, "stderr", None)
    assert is_closed("the report")
