"""The settings that keep packages: durations, and environments that are declared deleted."""

from __future__ import annotations

import os

import pytest

from conda_hardlink_plugin.analysis.retention import Observations, RetentionPolicy

MINUTE_NS = 60 * 10**9
ODD = os.fsdecode(b"/disk/new\nline \x1b[31m\xff")


def test_without_settings_packages_stay_for_a_quarter_of_an_hour():
    policy = RetentionPolicy()
    assert (policy.grace_ns, policy.older_than_ns) == (15 * MINUTE_NS, None)
    assert not policy.ignores("/disk/env")


def test_durations_are_text_or_nanoseconds():
    assert RetentionPolicy(grace="90s").grace_ns == 90 * 10**9
    assert RetentionPolicy(grace=5).grace_ns == 5
    assert RetentionPolicy(grace="0").grace_ns == RetentionPolicy(grace=0).grace_ns == 0
    assert RetentionPolicy(older_than="2w").older_than_ns == 14 * 24 * 60 * MINUTE_NS
    assert RetentionPolicy(older_than=0).older_than_ns == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grace": "soon"}, "is not a duration"),
        ({"grace": ""}, "is not a duration"),
        ({"older_than": "-1d"}, "is not a duration"),
        ({"grace": -1}, "whole number"),
        ({"grace": True}, "whole number"),
        ({"grace": None}, "whole number"),
        ({"older_than": 1.5}, "whole number"),
        ({"ignored_environments": ""}, "is empty"),
        ({"ignored_environments": ["/gone", ""]}, "is empty"),
    ],
    ids=repr,
)
def test_a_setting_that_means_nothing_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        RetentionPolicy(**options)


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("/disk/env", True),
        ("/disk/env/conda-meta/p-1-0.json", True),
        ("/disk/env2", False),
        ("/disk", False),
        (ODD, True),
        (f"{ODD}/lib", True),
        ("/elsewhere", False),
    ],
)
def test_an_ignored_environment_is_ignored_with_everything_below_it(path, ignored):
    policy = RetentionPolicy(ignored_environments=["/disk/env/", ODD])
    assert policy.ignores(path) is ignored


@pytest.mark.parametrize("given", ["~/gone", "$HOME/gone", "gone", "./sub/../gone"])
def test_an_ignored_path_is_meant_as_on_the_command_line(tmp_path, monkeypatch, given):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    policy = RetentionPolicy(ignored_environments=given)
    assert policy.ignores(f"{tmp_path}/gone/lib")
    assert not policy.ignores(f"{tmp_path}/other")
    assert policy.ignored_environments == (given,)


def test_a_name_that_is_written_like_a_variable_is_ignored_as_it_is(monkeypatch):
    monkeypatch.setenv("odd", "other")
    policy = RetentionPolicy(ignored_environments="/disk/$odd")
    assert [policy.ignores(f"/disk/{name}") for name in ("$odd", "other", "third")] == [
        *(True, True, False)
    ]


def test_policies_are_equal_if_their_settings_are():
    given = ["/a", "/b"]
    policy = RetentionPolicy(grace="1m", ignored_environments=given)
    assert policy == RetentionPolicy(grace="1m", ignored_environments=iter(given))
    assert policy != RetentionPolicy(grace="1m", ignored_environments="/a")
    assert RetentionPolicy(grace="15m").grace_ns == RetentionPolicy(grace=15 * MINUTE_NS).grace_ns


def test_mounts_that_were_not_observed_are_unknown():
    mounts = Observations(now_ns=0).mounts
    assert (mounts.known, mounts.filesystem("/")) == (False, "")
