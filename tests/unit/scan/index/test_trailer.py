"""The trailer of an index file: damaged, incomplete, or in a file of another user or kind."""

from __future__ import annotations

import os
from zlib import crc32

import pytest

from conda_hardlink_plugin.analysis.usage import Usage
from conda_hardlink_plugin.scan.index.file import clear_index, index_path
from conda_hardlink_plugin.scan.index.trailer import (
    TRAILER_BYTES,
    IndexTotals,
    Trailer,
    checksum_of,
    index_folder,
    pack_trailer,
    read_at,
    read_totals,
    read_trailer,
)
from tests.support.oracles import NOBODY
from tests.support.scanning import write_index
from tests.support.trees import make_installation, write

TOTALS = IndexTotals(
    on_disk_bytes=5 * 10**12,
    as_copies_bytes=9 * 10**12,
    caches=2,
    environments=300,
    incomplete=1,
    caches_checksum=checksum_of(["/pkgs"]),
)
TABLE = b'{"a": "table"}'
TRAILER = Trailer(7, len(TABLE), crc32(TABLE), TOTALS)
CONTENT = b"a page " + TABLE + pack_trailer(TRAILER)


def trailer_in(path):
    with open(path, "rb") as file:
        return read_trailer(file.fileno(), os.fstat(file.fileno()).st_size)


def test_a_packed_trailer_is_read(tmp_path):
    assert trailer_in(write(f"{tmp_path}/file", CONTENT)) == TRAILER


@pytest.mark.parametrize("bits", [0x01, 0xFF])
def test_a_trailer_with_a_changed_byte_is_not_read(tmp_path, bits):
    path = f"{tmp_path}/file"
    for offset in range(len(CONTENT) - TRAILER_BYTES, len(CONTENT)):
        changed = bytes([CONTENT[offset] ^ bits])
        write(path, CONTENT[:offset] + changed + CONTENT[offset + 1 :])
        assert trailer_in(path) is None, offset


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="an empty file"),
        pytest.param(CONTENT[-TRAILER_BYTES + 1 :], id="less than a trailer"),
        pytest.param(CONTENT[:-1], id="the last byte is missing"),
        pytest.param(CONTENT + b"\n", id="a byte follows"),
        pytest.param(CONTENT[1:], id="the first byte is missing"),
        pytest.param(b"x" + CONTENT, id="a byte precedes"),
    ],
)
def test_an_incomplete_file_has_no_trailer(tmp_path, content):
    assert trailer_in(write(f"{tmp_path}/file", content)) is None


def test_the_totals_can_be_read_without_the_table(tmp_path):
    made, folder = make_installation(str(tmp_path)), f"{tmp_path}/index"
    usage = Usage(write_index(folder, made.roots))
    os.utime(index_path(folder), (1_000.5, 1_000.5))
    totals, taken_s = read_totals(folder)
    assert (totals.on_disk_bytes, totals.as_copies_bytes) == (usage.on_disk, usage.as_copies)
    assert (totals.caches, totals.environments, totals.incomplete) == (1, 2, 0)
    assert totals.caches_checksum == checksum_of([made.cache])
    assert taken_s == 1_000.5
    clear_index(folder)
    assert read_totals(folder) is None


def test_without_a_directory_there_are_no_totals(tmp_path):
    assert read_totals(f"{tmp_path}/missing") is None
    assert read_totals(write(f"{tmp_path}/file")) is None


def test_a_pipe_a_directory_or_a_symlink_has_no_totals(tmp_path):
    elsewhere, folder = write(f"{tmp_path}/elsewhere", CONTENT), f"{tmp_path}/index"
    os.mkdir(folder)
    path = index_path(folder)
    os.mkfifo(path)
    assert read_totals(folder) is None
    os.unlink(path)
    os.mkdir(path)
    assert read_totals(folder) is None
    os.rmdir(path)
    os.symlink(elsewhere, path)
    assert read_totals(folder) is None
    os.unlink(path)
    os.link(elsewhere, path)
    assert read_totals(folder)[0] == TOTALS


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
def test_the_index_of_another_user_has_no_totals(tmp_path):
    path = write(index_path(str(tmp_path)), CONTENT)
    assert read_totals(str(tmp_path))[0] == TOTALS
    os.chown(path, NOBODY, NOBODY)
    assert read_totals(str(tmp_path)) is None


def test_a_part_beyond_the_end_of_a_file_cannot_be_read(tmp_path):
    with open(write(f"{tmp_path}/file", CONTENT), "rb") as file:
        assert read_at(file.fileno(), 7, len(TABLE)) == TABLE
        with pytest.raises(OSError, match="truncated"):
            read_at(file.fileno(), 7, len(CONTENT))


def test_a_checksum_distinguishes_sets_of_caches():
    other = os.fsdecode(b"/\xff\n/pkgs")
    assert checksum_of(["/pkgs", other]) == checksum_of([other, "/pkgs"])
    sets = [[], ["/pkgs"], [other], ["/pkgs", other], [f"/pkgs{other}"], ["/pkgs/", other]]
    assert len({checksum_of(caches) for caches in sets}) == len(sets)


def test_the_index_is_in_the_cache_directory_of_conda(monkeypatch):
    monkeypatch.setenv("HOME", "/home/of-mine")
    assert index_folder().startswith("/home/of-mine/")
    assert index_folder().endswith("/conda/hardlinks")
