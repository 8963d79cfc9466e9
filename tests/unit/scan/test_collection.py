"""Pausing the garbage collector."""

from __future__ import annotations

import gc

import pytest

from conda_hardlink_plugin.scan.collection import without_collection


@pytest.mark.parametrize("collecting", [True, False])
def test_the_collector_is_off_inside_and_as_before_afterwards(collecting):
    try:
        (gc.enable if collecting else gc.disable)()
        with pytest.raises(ZeroDivisionError), without_collection():
            _ = 1 / gc.isenabled()
        assert gc.isenabled() == collecting
    finally:
        gc.enable()
