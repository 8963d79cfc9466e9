from __future__ import annotations

import ast

import pytest

from tests.clean_safety.mutants.matching import find

FUNCTION = '''
def total(self, files):
    """Return the sum of the sizes: size = self.size(file)."""
    size = 0
    for file in files:
        # size += self.size(other)
        size += self.size(file)  # size += 1
    return size
'''


def found(old, new="0", source=FUNCTION):
    return list(find(old, new, ast.parse(source)))


def replaced(old, new, source):
    tree = ast.parse(source)
    (place,) = find(old, new, tree)
    place.put(new)
    return ast.unparse(tree)


def test_the_same_names_are_an_exact_match():
    (place,) = found("size += self.size(file)", "size = 0")
    assert place.match.is_exact


def test_other_names_match_in_the_same_structure():
    (place,) = found("total += cache.bytes_of(path)", "")
    assert not place.match.is_exact
    assert place.match.renamed == {
        "total": "size",
        "cache": "self",
        "bytes_of": "size",
        "path": "file",
    }


def test_layout_comments_and_docstrings_do_not_matter():
    (place,) = found(
        """
            for file in files: # another comment
                size += self.size(
                    file,
                )
        """,
        "",
    )
    assert place.match.is_exact
    assert len(found("size = self.size(file)", "")) == 0  # it is only in the docstring
    assert len(found("size += self.size(other)", "")) == 1  # the comment is not a second one


def test_a_snippet_of_several_statements_matches_only_side_by_side():
    assert found("size = 0\nfor file in files:\n    ...", "")
    assert found(
        """
            size = 0
            for file in files:
                ...
        """,
        "",
    )
    assert not found("size = 0\nreturn size", "")


def test_every_match_is_found():
    source = "a = f(x)\nb = g(y)\nc = h(0)"
    assert len(found("f(x)", "0", source)) == 2
    assert len([place for place in found("f(x)", "0", source) if place.match.is_exact]) == 1


@pytest.mark.parametrize(
    "source",
    [
        "a < b + 2",  # a literal
        "a <= b + 1",  # an operator
        "a < b.c + 1",  # the structure
        "f(a < 1 + b)",
        "a < b + 1 < c",
    ],
)
def test_literals_operators_and_structure_must_be_the_same(source):
    assert not found("x < y + 1", "0", source)
    assert found("x < y + 1", "0", "a < b + 1")


def test_one_renaming_holds_for_the_whole_snippet():
    assert found("x < x + 1", "0", "a < a + 1")
    assert not found("x < x + 1", "0", "a < b + 1")


def test_two_names_never_become_one():
    assert not found("x < y + 1", "0", "a < a + 1")


def test_attributes_and_keywords_are_renamed_apart_from_variables():
    assert found("f(path, item.path, path=1)", "0", "f(place, item.path, path=1)")
    assert found("f(path, item.path, path=1)", "0", "f(path, item.place, path=1)")
    assert found("f(path, item.path, path=1)", "0", "f(path, item.path, place=1)")


def test_builtins_keep_their_names():
    assert found("any(x)", "0", "any(y)")
    assert not found("any(x)", "0", "all(y)")
    assert not found("f(x)", "0", "all(y)")
    assert found("item.any(x)", "0", "item.all(y)")  # an attribute is not a builtin


def test_a_target_is_not_an_expression():
    assert found("size", "0", "size = 1") == []


def test_three_dots_match_any_expression_and_any_suite_but_an_absent_one():
    assert found("if ...:\n    ...", "", "if a(b):\n    c = d\n    e()")
    assert found("f(..., y)", "0", "f(a + b, c)")
    assert not found("if ...:\n    ...\nelse:\n    ...", "", "if a:\n    c = d")


def test_the_replacement_has_what_the_three_dots_matched():
    source = "while a:\n    b()\n    c()"
    assert replaced("while ...:\n    ...", "if ...:\n    ...", source) == source.replace(
        "while", "if"
    )


def test_the_replacement_has_the_new_names():
    mistaken = replaced(
        "old.first(item.size) < size",
        "old.first(size) < item.size + margin",
        "fresh.start(entry.bytes) < limit",
    )
    assert mistaken == "fresh.start(limit) < entry.bytes + margin"


def test_a_name_that_only_the_replacement_has_must_not_be_a_new_name():
    with pytest.raises(ValueError, match="margin is the new name of size"):
        replaced("f(size)", "f(size + margin)", "f(margin)")


def test_an_empty_replacement_removes_statements():
    assert replaced("a = 1", "", "if b:\n    a = 1") == "if b:\n    pass"


def test_several_statements_can_replace_one():
    source = "if b:\n    a.run()\n    c()"
    mistaken = replaced("a.run()", "a.stop()\na.run()", source)
    assert mistaken == "if b:\n    a.stop()\n    a.run()\n    c()"
