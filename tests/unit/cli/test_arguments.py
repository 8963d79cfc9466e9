"""Values of options: what is taken, to what it comes, and that anything else is refused."""

from __future__ import annotations

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.cli.arguments import add_evidence_options, count, duration_ns, size_bytes
from tests.support.circumstances import GRACE_NS

SECOND = 1_000_000_000


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("0s", 0),
        ("90s", 90 * SECOND),
        ("15m", 15 * 60 * SECOND),
        ("12h", 12 * 3600 * SECOND),
        ("30d", 30 * 86_400 * SECOND),
        ("2w", 14 * 86_400 * SECOND),
        ("007d", 7 * 86_400 * SECOND),
        ("999999999w", 999_999_999 * 7 * 86_400 * SECOND),
    ],
)
def test_a_duration_is_a_number_and_its_unit(text, nanoseconds):
    assert duration_ns(text) == nanoseconds


@pytest.mark.parametrize(
    "text",
    [
        *("", "s", "15", "1", "00", "-1d", "+1d", "1.5h", "15 m", " 15m", "15m ", "15m\n", "15M"),
        *("1y", "1h30m", "0x1d", "1e3s", "1000000000s", "inf", "nan"),
    ],
)
def test_a_malformed_duration_is_refused_with_an_example(text):
    with pytest.raises(
        argparse.ArgumentTypeError, match="is not a duration: give one such as 90s, 15m,"
    ):
        duration_ns(text)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("4096", 4096),
        ("1B", 1),
        ("1KiB", 1024),
        ("20GiB", 20 * 1024**3),
        ("2 TiB", 2 * 1024**4),
        ("1kB", 1000),
        ("500MB", 500_000_000),
        ("1.5 GB", 1_500_000_000),
        ("0.5MiB", 512 * 1024),
        ("1.0000001B", 1),
        ("999999999999999", 999_999_999_999_999),
    ],
)
def test_a_size_is_in_powers_of_1024_only_where_its_unit_says_so(text, size):
    assert size_bytes(text) == size


@pytest.mark.parametrize(
    "text",
    [
        *("", "GB", "-1", "+1", "1G", "1k", "1KB", "1gb", "1 PiB", "1  GB", " 1", "1GB ", "1GB\n"),
        *("1,5GB", ".5GB", "1.GB", "1e9", "0x10", "inf", "nan", "1000000000000000"),
    ],
)
def test_a_malformed_size_is_refused_with_an_example(text):
    with pytest.raises(
        argparse.ArgumentTypeError, match="is not a size: give one such as 20GiB, 500MB or"
    ):
        size_bytes(text)


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), ("1", 1), ("20", 20), ("999999999", 10**9 - 1)]
)
def test_a_count_is_a_number_from_zero(text, number):
    assert count(text) == number


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", " 1", "1\n", "two", "0x1", "1000000000"])
def test_an_invalid_count_is_refused_with_an_example(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a number of packages: give 0"):
        count(text)


@pytest.mark.parametrize("read", [duration_ns, size_bytes, count])
@given(text=st.text(max_size=20) | st.from_regex(r"[0-9.]{0,18} ?[A-Za-z]{0,3}", fullmatch=True))
def test_any_text_is_a_number_from_zero_or_refused(read, text):
    try:
        value = read(text)
    except argparse.ArgumentTypeError:
        return
    assert type(value) is int
    assert value >= 0


@pytest.fixture
def parser():
    parser = argparse.ArgumentParser()
    add_evidence_options(parser.add_argument_group("Where to look"))
    return parser


def test_by_default_nothing_is_searched_or_ignored_and_the_grace_is_that_of_the_policy(parser):
    options = vars(parser.parse_args([]))
    assert options == {"search": [], "ignored_environments": [], "grace_ns": GRACE_NS}


def test_options_for_paths_can_be_repeated(parser):
    options = parser.parse_args(
        [
            "--search",
            "a",
            "--ignore-env",
            "x",
            "--search",
            "b",
            "--ignore-env",
            "y",
            "--grace",
            "2w",
        ]
    )
    assert options.search == ["a", "b"]
    assert options.ignored_environments == ["x", "y"]
    assert options.grace_ns == 14 * 86_400 * SECOND
    assert parser.parse_args([]).search == []


def test_a_wrong_grace_gives_exit_code_2_and_an_example(parser, capsys):
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["--grace", "5%"])
    assert stop.value.code == 2
    assert (
        "argument --grace: '5%' is not a duration: give one such as 90s, 15m"
        in capsys.readouterr().err
    )
