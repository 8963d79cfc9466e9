"""How the verbs find and read the installation that their options mean."""

from __future__ import annotations

import os
from argparse import ArgumentParser

import pytest

from conda_hardlink_plugin.cli.arguments import add_cache_option, add_evidence_options
from conda_hardlink_plugin.cli.reading import read_installation
from conda_hardlink_plugin.exceptions import NotFoundError
from tests.support.trees import package, write


@pytest.fixture
def read(configured, read_configuration):
    """Return a function that parses options and reads what they mean."""

    def read(*options, **more):
        parser = ArgumentParser()
        add_cache_option(parser, "")
        add_evidence_options(parser)
        args = parser.parse_args(options)
        if "older_than_ns" in more:
            args.older_than_ns = more.pop("older_than_ns")
        read_configuration(options=args)
        return read_installation(args, **more)

    return read


def verdicts_of(analysis):
    verdicts = analysis.data.verdicts
    return {
        analysis.inventory.units[unit].dist: verdicts.verdict(unit).value for unit in verdicts.uses
    }


def test_without_options_it_is_what_conda_knows(read, made, isolated):
    analysis = read()
    assert analysis.installation.caches == (f"{made.directory}/pkgs",)
    assert analysis.names == {f"{made.directory}/envs/env": "env"}
    assert os.listdir(isolated) == []  # no index


def test_options_add_caches_and_environments(read, made):
    package(f"{made.directory}/other", "more-1-0")
    for prefix in ("far/deep/env", "near/env"):
        write(f"{made.directory}/{prefix}/conda-meta/history")
    options = ("--cache", f"{made.directory}/other", "--search", f"{made.directory}/far")
    analysis = read(*options, prefixes=[f"{made.directory}/near/env"])
    assert analysis.installation.caches == (f"{made.directory}/pkgs", f"{made.directory}/other")
    assert set(analysis.names) == {
        f"{made.directory}/{prefix}" for prefix in ("envs/env", "far/deep/env", "near/env")
    }


@pytest.mark.parametrize(("options", "verdict"), [((), "recent"), (("--grace", "0"), "unused")])
def test_a_new_package_is_recent_for_the_grace(read, options, verdict):
    assert verdicts_of(read(*options)) == {"used-1-0": "linked", "unused-1-0": verdict}


def test_a_verb_without_the_option_older_than_has_no_minimum_age(read):
    assert read().data.policy.older_than_ns is None
    assert read(older_than_ns=7).data.policy.older_than_ns == 7


@pytest.mark.parametrize("spelling", ["{}", "{}/", "{}/env"])
def test_an_ignored_environment_that_cannot_be_reached_protects_nothing(read, isolated, spelling):
    os.mkdir(f"{isolated}/disk")
    write(f"{isolated}/.conda/environments.txt", f"{isolated}/disk/env\n".encode())
    assert verdicts_of(read("--grace", "0"))["unused-1-0"] == "unverifiable"
    ignored = spelling.format(f"{isolated}/disk")
    assert verdicts_of(read("--grace", "0", "--ignore-env", ignored))["unused-1-0"] == "unused"


def test_an_environment_that_cannot_be_removed_is_refused_before_anything_is_read(
    read, made, isolated
):
    os.symlink("env", f"{made.directory}/envs/link")
    for name, sentence in (("gone", "No environment named 'gone'"), ("link", "a symbolic link")):
        with pytest.raises(NotFoundError, match=sentence):
            read(removable=["env", name], index="exact")
    assert os.listdir(isolated) == []  # no index
    assert read(removable=["env"]).names


def test_the_other_arguments_are_those_of_an_analysis(read, made, isolated):
    analysis = read(index="exact", environment="env", details=("packages",))
    report = analysis.report()
    assert report.detail.prefix == f"{made.directory}/envs/env"
    assert {row.name for row in report.packages} == {"used-1-0", "unused-1-0"}
    assert os.path.isfile(f"{isolated}/.cache/conda/hardlinks/report.index")
