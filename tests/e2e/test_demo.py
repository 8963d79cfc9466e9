"""`make demo` shows right figures, of the environments that it promises."""

from __future__ import annotations

import json

import pytest

from tests.oracles import du
from tests.realconda import demo


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return demo.build(str(tmp_path_factory.mktemp("demo")))


@pytest.mark.parametrize("option", [(), ("--apparent-size",)])
def test_the_figures_of_the_demo_are_those_of_du(built, option):
    report = json.loads(built.hardlinks("report", "--json", "--du", *option).stdout)
    paths = [row["path"] for row in report["du"]]
    apparent = bool(option)
    assert [row["added_bytes"] for row in report["du"]] == du(*paths, apparent=apparent)
    for row in report["du"]:
        assert [row["alone_bytes"]] == du(row["path"], apparent=apparent)


def test_the_demo_has_what_it_promises(built):
    report = json.loads(built.hardlinks("report", "--json", "--why", *demo.OPTIONS).stdout)
    environments = {row["name"]: row for row in report["environments"]}
    assert environments.keys() == {"base", "softlinked", *demo.ENVIRONMENTS}
    assert [name for name, row in environments.items() if row["softlinked"]] == ["softlinked"]
    assert [name for name, row in environments.items() if row["private"]["pip"]] == ["velocyto"]
    assert report["totals"]["saved_bytes"] > 0
    (cache,) = report["caches"]
    assert cache["unused_packages"] > 0


def test_what_is_there_and_no_demo_is_not_replaced(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(FileExistsError, match="is no demo"):
        demo.build(str(tmp_path))
    assert (tmp_path / "mine").read_text() == "mine"
