"""The progress line during a long scan."""

from __future__ import annotations

import io
import sys

import pytest

from conda_hardlink_plugin.render.progress import progress


class TerminalStream(io.StringIO):
    """A stderr that is a terminal."""

    def isatty(self):
        return True


def on_terminal(monkeypatch):
    """Make stderr a terminal; call this in the test, because pytest replaces stderr before it."""
    stream = TerminalStream()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    return stream


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets."""
    now = [1_000_000_000]
    monkeypatch.setattr("time.monotonic_ns", lambda: now[0])
    return now


def test_nothing_is_shown_without_a_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress("files and folders read", quiet=False) as update:
        assert update is None
    assert sys.stderr.getvalue() == ""


def test_quiet_shows_nothing(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with progress("files and folders read", quiet=True) as update:
        assert update is None
    assert terminal.getvalue() == ""


def test_a_short_scan_shows_nothing(monkeypatch, clock):
    terminal = on_terminal(monkeypatch)
    with progress("files and folders read", quiet=False) as update:
        update(5000)
        clock[0] += 499_999_999
        update(10_000)
    assert terminal.getvalue() == ""


def test_a_long_scan_shows_its_progress_and_cleans_up(monkeypatch, clock):
    terminal = on_terminal(monkeypatch)
    with progress("files and folders read", quiet=False) as update:
        clock[0] += 500_000_000
        update(12_345)
        update(1_234_567)
    shown = terminal.getvalue()
    assert "1,234,567 files and folders read" in shown
    assert (
        shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1
    )  # the cursor is hidden and shown again


def test_ctrl_c_restores_the_terminal(monkeypatch, clock):
    terminal = on_terminal(monkeypatch)

    def interrupted():
        with progress("files and folders read", quiet=False) as update:
            clock[0] += 500_000_000
            update(5000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.getvalue().count("\x1b[?25h") == 1
