"""Finds a snippet of Python in a syntax tree, whatever the layout, the comments and the names.

A snippet is an expression, or one or more statements. It matches a part of a tree of the same
structure, operators and literals. Its names may differ by a renaming:

- One renaming holds for the whole snippet, and no two names become one.
- Attributes, argument keywords and all other names are renamed separately: `path` may have a new
  name in `problem.path == path` while the attribute keeps its own.
- The names of builtins stay: `any` never matches `all`.

`...` matches anything: a whole suite if it is alone in the suite, otherwise one expression. In the
replacement the first `...` is what the first `...` of the snippet matched, and so on.
"""

from __future__ import annotations

import ast
import builtins
import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUILTINS = frozenset(dir(builtins))
_KINDS = {ast.Attribute: "attribute", ast.MatchClass: "keyword", ast.keyword: "keyword"}


class Match:
    """The comparison of a snippet with a part of a tree.

    Attributes:
        renaming: (kind, name in the snippet) to the name in the tree.
        anything: What each `...` matched.

    """

    def __init__(self) -> None:
        """Begin with no names."""
        self.renaming: dict[tuple[str, str], str] = {}
        self.anything: list[Any] = []
        self._names: dict[tuple[str, str], str] = {}  # the renaming, backwards

    @property
    def is_exact(self) -> bool:
        """Tell whether all names are the same."""
        return not self.renamed

    @property
    def renamed(self) -> dict[str, str]:
        """The names that differ."""
        return {old: new for (_, old), new in self.renaming.items() if old != new}

    def accepts(self, snippet: Any, part: Any, kind: str = "") -> bool:
        """Compare a node, a list of nodes or a value of the snippet with one of the tree."""
        if isinstance(snippet, list):
            return self._accepts_list(snippet, part, kind)
        if _is_anything(snippet):
            self.anything.append(part)
            return isinstance(part, ast.expr)
        if type(snippet) is not type(part):
            return False
        if isinstance(snippet, ast.AST):
            return all(
                self.accepts(getattr(snippet, field), getattr(part, field), _kind(snippet))
                for field in snippet._fields
            )
        if _is_name(snippet, kind):
            return self._accepts_name(snippet, part, kind)
        return bool(snippet == part)

    def rebuild(self, replacement: str) -> list[ast.stmt]:
        """Return the statements of a replacement, with the names of the tree.

        Raises:
            ValueError: A name that only the replacement has is something else in the tree.

        """
        return self._rebuild(parse(replacement), "", iter(self.anything)) or [ast.Pass()]

    def _accepts_list(self, snippet: list[Any], part: list[Any], kind: str) -> bool:
        if _is_any_suite(snippet):
            self.anything.append(part)
            return bool(part)
        return len(snippet) == len(part) and all(
            self.accepts(one, other, kind) for one, other in zip(snippet, part, strict=True)
        )

    def _accepts_name(self, old: str, new: str, kind: str) -> bool:
        if kind == "name" and old != new and not _BUILTINS.isdisjoint((old, new)):
            return False
        there = self.renaming.setdefault((kind, old), new)
        return there == new and self._names.setdefault((kind, new), old) == old

    def _rebuild(self, part: Any, kind: str, anything: Iterator[Any]) -> Any:
        if isinstance(part, list):
            if _is_any_suite(part):
                return next(anything)
            return [self._rebuild(item, kind, anything) for item in part]
        if _is_anything(part):
            return next(anything)
        if isinstance(part, ast.AST):
            fields = ((name, getattr(part, name)) for name in part._fields)
            values = {name: self._rebuild(it, _kind(part), anything) for name, it in fields}
            return type(part)(**values)
        if not _is_name(part, kind) or (kind, part) in self.renaming:
            return self.renaming.get((kind, part), part)
        if (kind, part) in self._names:
            raise ValueError(f"{part} is the new name of {self._names[kind, part]}")
        return part


@dataclass(frozen=True)
class Place:
    """Where a snippet matches: a part of one field of a node."""

    parent: ast.AST
    field: str
    first: int | None  # `None`: the field is no list
    nodes: list[Any]
    match: Match

    def put(self, replacement: str) -> None:
        """Replace what is here; the tree is changed."""
        statements: list[Any] = self.match.rebuild(replacement)
        nodes = statements if isinstance(self.nodes[0], ast.stmt) else [statements[0].value]
        if self.first is None:
            setattr(self.parent, self.field, nodes[0])
        else:
            getattr(self.parent, self.field)[self.first : self.first + len(self.nodes)] = nodes


def parse(snippet: str) -> list[ast.stmt]:
    """Return the statements of a snippet; an expression is one statement."""
    return ast.parse(textwrap.dedent(snippet)).body


def find(old: str, new: str, scope: ast.AST) -> Iterator[Place]:
    """Find every place below a node where a snippet matches, exactly or with other names.

    Args:
        old: The snippet.
        new: Its replacement. If both are one expression, parts of statements are looked at.
        scope: Where to look.

    """
    snippet: list[Any] = parse(old)
    if is_expression(old) and is_expression(new):
        snippet = [snippet[0].value]
    for parent, field, first, nodes in parts(snippet, scope):
        match = Match()
        if type(nodes[0]) is type(snippet[0]) and match.accepts(snippet, nodes):
            yield Place(parent, field, first, nodes, match)


def is_expression(snippet: str) -> bool:
    """Tell whether a snippet is one expression."""
    return [type(statement) for statement in parse(snippet)] == [ast.Expr]


def parts(
    snippet: list[Any], scope: ast.AST
) -> Iterator[tuple[ast.AST, str, int | None, list[Any]]]:
    """Return every run of nodes below a node that is as long as a snippet, and where it is."""
    kind = ast.stmt if isinstance(snippet[0], ast.stmt) else ast.expr
    for parent in ast.walk(scope):
        for field, value in ast.iter_fields(parent):
            items = value if isinstance(value, list) else [value]
            for first in range(len(items) - len(snippet) + 1):
                nodes = items[first : first + len(snippet)]
                if all(isinstance(node, kind) for node in nodes):
                    yield parent, field, first if items is value else None, nodes


def _kind(node: ast.AST) -> str:
    return "" if isinstance(node, ast.Constant) else _KINDS.get(type(node), "name")


def _is_name(value: Any, kind: str) -> bool:
    return bool(kind) and isinstance(value, str)


def _is_anything(node: Any) -> bool:
    return isinstance(node, ast.Constant) and node.value is ...


def _is_any_suite(nodes: list[Any]) -> bool:
    return len(nodes) == 1 and isinstance(nodes[0], ast.Expr) and _is_anything(nodes[0].value)
