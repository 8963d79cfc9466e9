"""The reason why a path cannot be read, as a phrase, and the errors of paths that are gone."""

from __future__ import annotations

import errno
import os

import pytest

from conda_hardlink_plugin.filesystem.problems import GONE, reason_of

from ...support.trees import symlink, write


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(errno.EACCES, "Permission denied", "/Some/Path"), "permission denied"),
        (OSError(errno.ETIMEDOUT, "its filesystem does not answer"), "its filesystem does not"),
        (OSError("No error number"), "no error number"),
        (ValueError("Not a record"), "not a record"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_reason_is_the_message_in_lowercase_without_number_and_path(error, reason):
    assert reason_of(error).startswith(reason)
    assert "/Some/Path" not in reason_of(error)
    assert str(errno.EACCES) not in reason_of(error)


def test_text_that_cannot_be_decoded_has_a_reason():
    with pytest.raises(UnicodeDecodeError) as caught:
        b"\xff".decode()
    assert reason_of(caught.value).startswith("'utf-8' codec can't decode byte 0xff")


def test_a_path_is_gone_if_it_or_a_folder_above_it_does_not_exist(tmp_path):
    file = write(f"{tmp_path}/file")
    for path in (f"{tmp_path}/no", f"{tmp_path}/no/such", f"{file}/below"):
        with pytest.raises(GONE):
            os.lstat(path)


def test_a_path_that_the_system_cannot_resolve_is_not_gone(tmp_path):
    loop = symlink("loop", f"{tmp_path}/loop")
    for path in (f"{loop}/file", f"{tmp_path}/{'n' * 256}"):
        with pytest.raises(OSError, match=r"symbolic links|too long") as caught:
            os.lstat(path)
        assert not isinstance(caught.value, GONE)
