"""Errors of the plugin as conda's."""

from __future__ import annotations

import pytest

from conda_hardlink_plugin import exceptions
from conda_hardlink_plugin.cli.frontend import conda_error
from conda_hardlink_plugin.exceptions import CleanRefusedError, NotFoundError, StoppedError


@pytest.mark.parametrize(
    ("error", "code"),
    [(NotFoundError("a"), 1), (StoppedError("a"), 130), (CleanRefusedError(["a"]), 1)],
    ids=repr,
)
def test_an_error_keeps_its_name_and_exit_code(error, code):
    raised = conda_error(error)
    assert raised.return_code == code
    assert getattr(exceptions, type(raised).__name__) is type(error)
    assert type(raised).__module__ == exceptions.__name__


def test_each_line_is_escaped_by_itself():
    assert str(conda_error(NotFoundError("a\x1b\nb"))) == "a\\x1b\\nb"
    refused = conda_error(CleanRefusedError(["a\nb", "c"]))
    assert str(refused) == "a\\nb.\nc."
