"""The disk map: rectangles in proportion to their bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.render.html import CANVASES
from conda_hardlink_plugin.render.map_labels import block_title, tile_label, tile_name
from conda_hardlink_plugin.render.treemap import (
    MOST_TILES_OF_A_HOLDER,
    SMALLEST_TILE,
    Canvas,
    lay_out,
)
from conda_hardlink_plugin.report.disk_map import Area, AreaKind, Holder, HolderKind
from tests.support.pages import page_report

CANVAS = Canvas("test", 1000, 500)
SLACK = 0.001  # a page has three decimals

amounts = st.one_of(st.integers(1, 10), st.integers(1, 10**13))
areas = st.builds(Area, st.sampled_from(AreaKind), amounts)
holders = st.builds(
    Holder,
    st.sampled_from(HolderKind),
    st.just("name"),
    st.lists(areas, min_size=1, max_size=30).map(tuple),
)


def assert_fills(parts, whole):
    """Check that rectangles cover another one without overlap."""
    for part in parts:
        assert part.x >= whole.x - SLACK
        assert part.y >= whole.y - SLACK
        assert part.x + part.width <= whole.x + whole.width + SLACK
        assert part.y + part.height <= whole.y + whole.height + SLACK
    for number, one in enumerate(parts):
        for other in parts[number + 1 :]:
            across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
            down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
            assert across <= SLACK or down <= SLACK
    covered = sum(part.width * part.height for part in parts)
    assert covered == pytest.approx(whole.width * whole.height)


@given(st.lists(holders, min_size=1, max_size=12))
def test_tiles_fill_the_canvas_in_proportion_and_each_area_is_in_one(drawn):
    blocks = lay_out(drawn, CANVAS)
    total = sum(holder.amount_bytes for holder in drawn)
    tiles = [tile for block in blocks for tile in block.tiles]
    assert sum(tile.amount_bytes for tile in tiles) == total
    assert sum(block.amount_bytes for block in blocks) == total
    placed = sorted(id(area) for tile in tiles for area in tile.areas)
    assert placed == sorted(id(area) for holder in drawn for area in holder.areas)
    scale = CANVAS.width * CANVAS.height / total
    for tile in tiles:
        assert tile.amount_bytes == sum(area.amount_bytes for area in tile.areas)
        assert {area.kind for area in tile.areas} == {tile.kind}
        area = tile.rectangle.width * tile.rectangle.height
        assert area == pytest.approx(tile.amount_bytes * scale, rel=1e-7, abs=SLACK)
    assert_fills(
        [block.rectangle for block in blocks], blocks[0].rectangle.__class__(0, 0, 1000, 500)
    )
    for block in blocks:
        assert_fills([tile.rectangle for tile in block.tiles], block.rectangle)


def test_small_areas_are_merged():
    small = [Area(AreaKind.UNUSED, 10, package) for package in range(312)]
    holder = Holder(
        HolderKind.CACHE, "/pkgs", (*small, Area(AreaKind.ONE, 10**9), Area(AreaKind.ONE, 1))
    )
    (block,) = lay_out([holder], CANVAS)
    assert [len(tile.areas) for tile in block.tiles] == [1, 1, 312]
    (last,) = (tile for tile in block.tiles if tile.kind is AreaKind.UNUSED)
    assert last.amount_bytes == 3120


def test_small_environments_are_merged_but_small_caches_are_not():
    tiny = [
        Holder(kind, str(number), (Area(AreaKind.OWN, 10),))
        for number, kind in enumerate([HolderKind.ENVIRONMENT] * 3 + [HolderKind.CACHE])
    ]
    large = Holder(HolderKind.ENVIRONMENT, "large", (Area(AreaKind.OWN, 10**9),))
    blocks = lay_out([*tiny, large], CANVAS)
    assert [[holder.name for holder in block.holders] for block in blocks] == [
        ["large"],
        ["0", "1", "2"],
        ["3"],
    ]


def test_each_of_the_merged_environments_is_one_rectangle():
    report = page_report(400, 0)
    (block,) = [b for b in lay_out(report.disk_map.holders, CANVAS) if len(b.holders) > 1]
    names = {holder.name for holder in block.holders}
    labels = [tile_name(tile, block, report) for tile in block.tiles]
    assert {label for label in labels if "smaller" not in label} <= names
    assert len(labels) > 10
    for tile in block.tiles[:5]:
        (number,) = tile.areas[0].environments
        assert tile.amount_bytes == report.environments[number].exclusive_bytes


@pytest.mark.parametrize("canvas", CANVASES, ids=lambda canvas: canvas.name)
def test_thousands_of_packages_are_a_few_hundred_rectangles(canvas):
    report = page_report(40, 5000)
    blocks = lay_out(report.disk_map.holders, canvas)
    tiles = [tile for block in blocks for tile in block.tiles]
    assert sum(tile.amount_bytes for tile in tiles) == report.totals.on_disk_bytes
    assert 50 < len(blocks[0].tiles) <= MOST_TILES_OF_A_HOLDER + len(AreaKind)
    alone = [tile.rectangle for tile in blocks[0].tiles if len(tile.areas) == 1]
    assert sum(place.width * place.height >= SMALLEST_TILE for place in alone) >= len(alone) - 1
    for block in blocks:
        assert len(block_title(block)) * 8 <= max(block.rectangle.width, 40)
        for tile in block.tiles:
            assert len(tile_label(tile, block, report)) * 6.7 <= max(tile.rectangle.width, 40)


def test_equal_packages_do_not_exceed_the_limit_of_rectangles():
    same = tuple(Area(AreaKind.ONE, 4096, package) for package in range(2000))
    (block,) = lay_out([Holder(HolderKind.CACHE, "/pkgs", same)], CANVAS)
    assert len(block.tiles) == MOST_TILES_OF_A_HOLDER + 1


def test_an_empty_disk_has_no_map():
    assert lay_out([], CANVAS) == []
