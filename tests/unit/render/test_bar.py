"""The bar in the row of an environment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conda_hardlink_plugin.render.bar import BLOCKS, CELLS, LETTERS, draw_bar, legend
from tests.support.figures import environment

amounts = st.one_of(st.just(0), st.integers(1, 20), st.integers(1, 2**50))


def draw(shared, exclusive, softlinked, characters=LETTERS):
    return draw_bar(
        characters,
        environment(size=shared + exclusive, exclusive=exclusive, softlinked_bytes=softlinked),
    )


@pytest.mark.parametrize(
    ("shared", "exclusive", "softlinked", "drawn"),
    [
        (0, 0, 0, ""),
        (9, 0, 0, "##########"),
        (0, 9, 0, "=========="),
        (0, 0, 9, "----------"),
        (50, 50, 0, "#####====="),
        (10**9, 1, 0, "#########="),
        (1, 10**9, 1, "#========-"),
        (500, 300, 200, "#####===--"),
    ],
)
def test_a_bar_shows_the_shares(shared, exclusive, softlinked, drawn):
    assert draw(shared, exclusive, softlinked) == drawn


def test_a_bar_of_blocks():
    assert draw(500, 300, 200, BLOCKS) == "█████▒▒▒░░"


@given(amounts, amounts, amounts)
def test_a_bar_is_full_and_every_share_has_a_cell(shared, exclusive, softlinked):
    shares = (shared, exclusive, softlinked)
    drawn = draw(*shares)
    assert len(drawn) == (CELLS if any(shares) else 0)
    for cell, share in zip("#=-", shares, strict=True):
        assert (cell in drawn) is bool(share)
    assert drawn == "".join(sorted(drawn, key="#=-".index))


@given(amounts, amounts, amounts)
def test_a_larger_share_never_has_fewer_cells_than_one_half_its_size(shared, exclusive, softlinked):
    shares = (shared, exclusive, softlinked)
    drawn = draw(*shares)
    for cell, share in zip("#=-", shares, strict=True):
        for other, other_share in zip("#=-", shares, strict=True):
            if share >= 2 * other_share:
                assert drawn.count(cell) >= drawn.count(other) - 1


@pytest.mark.parametrize("characters", [BLOCKS, LETTERS])
def test_the_characters_differ_in_shape_and_are_explained(characters):
    assert len(set(characters)) == 3
    assert all(character in legend(characters) for character in characters)


def test_the_letters_are_ascii():
    assert legend(LETTERS) == "# hard-linked  = private  - softlinked"
    assert legend(LETTERS).isascii()
