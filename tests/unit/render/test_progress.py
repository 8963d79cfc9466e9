"""What is shown while a long scan runs."""

from __future__ import annotations

import io
import sys

import pytest

from conda_hardlink_plugin.render.progress import progress


class TerminalStream(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self):
        return True


def on_terminal(monkeypatch):
    """Make stderr a terminal; to be called by the test itself, or pytest puts its own there."""
    stream = TerminalStream()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    return stream


@pytest.fixture
def clock(monkeypatch):
    """The time that passes is what a test says."""
    now = [1_000_000_000]
    monkeypatch.setattr("time.monotonic_ns", lambda: now[0])
    return now


def test_nothing_is_shown_where_stderr_is_no_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with progress("files and folders read", quiet=False) as update:
        assert update is None
    assert sys.stderr.getvalue() == ""


def test_nothing_is_shown_when_quiet_is_asked_for(monkeypatch):
    terminal = on_terminal(monkeypatch)
    with progress("files and folders read", quiet=True) as update:
        assert update is None
    assert terminal.getvalue() == ""


def test_a_scan_that_is_soon_done_shows_nothing(monkeypatch, clock):
    terminal = on_terminal(monkeypatch)
    with progress("files and folders read", quiet=False) as update:
        update(5000)
        clock[0] += 499_999_999
        update(10_000)
    assert terminal.getvalue() == ""


def test_a_long_scan_says_how_far_it_is_and_cleans_up(monkeypatch, clock):
    terminal = on_terminal(monkeypatch)
    with progress("files and folders read", quiet=False) as update:
        clock[0] += 500_000_000
        update(12_345)
        update(1_234_567)
    shown = terminal.getvalue()
    assert "1,234,567 files and folders read" in shown
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor, hidden and back


def test_ctrl_c_leaves_the_terminal_as_it_was(monkeypatch, clock):
    terminal = on_terminal(monkeypatch)

    def interrupted():
        with progress("files and folders read", quiet=False) as update:
            clock[0] += 500_000_000
            update(5000)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert terminal.getvalue().count("\x1b[?25h") == 1
