"""What the tests of a clean's safety share."""

from __future__ import annotations

import pytest

from tests.support.scanning import reader


@pytest.fixture
def read_in_python():
    """Read in Python, where a test can have any single call fail or take its time.

    `tests/unit/scan/test_faults.py` has the calls of the native reader fail.
    """
    with reader("python"):
        yield
