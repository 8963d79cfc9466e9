"""The page: one self-contained file in which names are inert."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from conda_hardlink_plugin.analysis.verdicts import PackageUser
from conda_hardlink_plugin.filesystem.problems import PathProblem
from conda_hardlink_plugin.formatting import size
from conda_hardlink_plugin.render.html import render_html
from conda_hardlink_plugin.render.labels import report_notes, totals_sentence
from conda_hardlink_plugin.report.disk_map import AreaKind, Holder, HolderKind
from tests.support.figures import small_report
from tests.support.pages import page_report

HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(1)</script>",
    "</style></title><script>alert(1)</script>",
    "\" onmouseover=alert(1) x='",
    "{{ 7 * 7 }}{% raw %}",
    "<!-- &lt; &amp; -->",
    "esc\x1b[31mred",
    "new\nline\ttab",
    "\u202egnp.exe",
    os.fsdecode(b"not-utf8-\xff"),
]
SURFACE = {"light": "#ffffff", "dark": "#14171b"}


class Page(HTMLParser):
    """The elements of a page with their attributes, and its texts."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self.raw, self._open = [], [], {}, []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        self._open.append(tag)

    def handle_endtag(self, tag):
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data):
        if self._open and self._open[-1] in ("script", "style"):
            self.raw.setdefault(self._open[-1], []).append(data)
        else:
            self.texts.append(data)

    @property
    def policy(self):
        (content,) = (
            attributes["content"]
            for tag, attributes in self.elements
            if tag == "meta" and "http-equiv" in attributes
        )
        return content

    def all(self, tag, **wanted):
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and wanted.items() <= attributes.items()
        ]


@pytest.fixture(scope="module")
def report():
    return page_report(12, 300)


@pytest.fixture(scope="module")
def text(report):
    return render_html(report, 0)


def with_names(report, names):
    """Return the report with these names for its first environments and packages."""
    disk_map = report.disk_map
    rows = [
        replace(row, name=name, prefix=f"/envs/{name}")
        for row, name in zip(report.environments, names, strict=False)
    ]
    packages = [
        replace(
            package,
            name=name,
            path=f"/pkgs/{name}",
            environments=tuple(
                PackageUser(rows[place].name, rows[place].prefix, "softlink") for place in (0, 1)
            ),
        )
        for package, name in zip(disk_map.packages, names, strict=False)
    ]
    holders = [
        replace(holder, name=f"/pkgs/{names[0]}" if holder.kind is HolderKind.CACHE else names[0])
        for holder in disk_map.holders
    ]
    return replace(
        report,
        environments=tuple(rows),
        warnings=tuple(names),
        unreachable=tuple(PathProblem(name, name) for name in names),
        caches=tuple(replace(cache, path=f"/pkgs/{names[0]}") for cache in report.caches),
        disk_map=replace(disk_map, packages=tuple(packages), holders=tuple(holders)),
    )


def test_a_page_needs_a_disk_map(report):
    with pytest.raises(ValueError, match="disk_map"):
        render_html(replace(report, disk_map=None), 0)


def test_the_policy_allows_the_style_and_the_script_of_the_page_and_nothing_else(text):
    page = Page(text)
    hashes = {}
    for tag in ("style", "script"):
        (content,) = page.raw[tag]
        assert page.all(tag) == [{}]
        digest = hashlib.sha256(content.encode()).digest()
        hashes[tag] = f"'sha256-{base64.b64encode(digest).decode()}'"
    assert dict(part.split(" ", 1) for part in page.policy.split("; ")) == {
        "default-src": "'none'",
        "style-src": hashes["style"],
        "script-src": hashes["script"],
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    # The policy is in front of everything visible.
    assert (
        text.index("Content-Security-Policy") < text.index("<style>") < text.index("<title>") + 500
    )


def test_a_page_loads_nothing(text):
    page = Page(text)
    assert page.all("link") == [{"rel": "icon", "href": "data:,"}]
    for tag, attributes in page.elements:
        assert tag not in ("img", "iframe", "object", "embed", "base", "form", "a", "use", "image")
        assert not {"src", "srcset", "style", "xlink:href"} & attributes.keys()
        assert not [name for name in attributes if name.startswith("on")]
    assert not re.search(r"url\(|@import|https?://", text)


def test_hostile_names_are_shown_and_inert(report):
    shown = with_names(page_report(len(HOSTILE), len(HOSTILE)), HOSTILE)
    text = render_html(shown, 0)
    page, plain = Page(text), Page(render_html(page_report(len(HOSTILE), len(HOSTILE)), 0))
    assert page.policy == plain.policy
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in plain.elements} | {"section"}
    assert len(page.all("script")) == len(page.all("style")) == 1
    for attributes in (attributes for _, attributes in page.elements):
        assert not [name for name in attributes if name.startswith("on")]
    text.encode()  # there is no lone surrogate in it
    assert all(line.isprintable() for line in text.split("\n"))
    shown_texts = "".join(page.texts)
    for name in (*HOSTILE[:6], "esc\\x1b[31mred", "new\\nline\\ttab", "\\u202egnp.exe"):
        assert name in shown_texts
    assert "not-utf8-\\xff" in shown_texts


def test_figures_are_those_of_the_table(report, text):
    page = Page(text)
    cells = [attributes["data-v"] for attributes in page.all("td") if "data-v" in attributes]
    texts = page.texts
    assert any(totals_sentence(report) in part for part in texts)
    for row in report.environments:
        for amount in (row.size_bytes, row.shared_bytes, row.exclusive_bytes):
            assert str(amount) in cells
            assert size(amount) in texts
    for place, private in enumerate(report.disk_map.private):
        assert sum(private.values()) == report.environments[place].exclusive_bytes
        assert {str(amount) for amount in private.values()} <= set(cells)
    assert {str(package.size_bytes) for package in report.disk_map.packages} <= set(cells)
    cache = report.caches[0]
    for amount in (cache.used_bytes, cache.kept_bytes, cache.unused_bytes, cache.tarball_bytes):
        assert str(amount) in cells
    for pair, amount in report.disk_map.sharing.shared_bytes.items():
        one, other = (report.environments[place].name for place in pair)
        assert [
            attributes
            for attributes in page.all("td")
            if attributes.get("title", "").startswith(f"{one} and {other} share {size(amount)}: ")
        ]


def test_each_map_has_every_byte_and_a_title_for_each_rectangle(report, text):
    maps = re.findall(r'<svg class="map .*?\n</svg>', text, re.DOTALL)
    assert len(maps) == 3
    amounts = {
        kind: sum(
            area.amount_bytes
            for holder in report.disk_map.holders
            for area in holder.areas
            if area.kind is kind
        )
        for kind in AreaKind
    }
    for drawn in maps:
        width, height = (float(n) for n in re.search(r'viewBox="0 0 (\S+) (\S+)"', drawn).groups())
        area_of = dict.fromkeys(AreaKind, 0.0)
        tiles = re.findall(
            r'<g class="tile k-(\w+)".*?<title>(.+?)</title>\s*<rect [^>]*'
            r'width="([\d.]+)" height="([\d.]+)"/>',
            drawn,
            re.DOTALL,
        )
        assert len(tiles) == drawn.count("<g ")
        for kind, title, across, down in tiles:
            assert title.endswith(".")
            area_of[AreaKind(kind)] += float(across) * float(down)
        scale = width * height / report.totals.on_disk_bytes
        for kind, amount in amounts.items():
            assert area_of[kind] == pytest.approx(amount * scale, abs=2)


def test_a_page_has_every_note(report):
    notes = small_report(
        disk_map=report.disk_map,
        environments=report.environments,
        unreadable=(PathProblem("/conda/envs/work/x", "Permission denied"),),
        unreachable=tuple(PathProblem(f"/disk/{n}", "why") for n in range(9)),
        incomplete=True,
    )
    texts = Page(render_html(notes, 0)).texts
    assert len(report_notes(notes, verbose=True)) >= 12
    for note in report_notes(notes, verbose=True):
        assert note in texts
    assert f"at least {size(notes.totals.on_disk_bytes)}" in texts
    assert f"at least {size(notes.totals.as_copies_bytes)}" in texts


def test_marks_follow_the_names(report):
    first, *others = report.environments
    marked = replace(first, softlinked=True, incomplete=True)
    cache = replace(report.caches[0], incomplete=True)
    marked_report = replace(report, environments=(marked, *others), caches=(cache,))
    texts = Page(render_html(marked_report, 0)).texts
    assert " (softlinked, incomplete)" in texts
    assert " (incomplete)" in texts


def test_an_empty_report_is_a_page():
    nothing = page_report(0, 0, caches=())
    empty = replace(nothing, disk_map=replace(nothing.disk_map, holders=()))
    text = " ".join(Page(render_html(empty, 0)).texts)
    assert "No environments were found." in text
    assert "No extracted packages were found." in text


def test_environments_that_share_nothing_have_no_matrix():
    alone = page_report(3, 0)
    assert 'id="matrix"' not in render_html(alone, 0)


def test_packages_of_several_caches_name_theirs(report):
    cache = report.caches[0]
    several = replace(report, caches=(cache, replace(cache, path="/more/pkgs")))
    page = Page(render_html(several, 0))
    assert page.texts.count("/conda/pkgs") > len(report.disk_map.packages)


def test_an_area_without_a_cause_is_drawn(report):
    holder = report.disk_map.holders[-1]
    areas = tuple(replace(area, cause=None) for area in holder.areas)
    private = (*report.disk_map.private[:-1], None)
    disk_map = replace(
        report.disk_map,
        holders=(*report.disk_map.holders[:-1], Holder(holder.kind, holder.name, areas)),
        private=private,
    )
    page = Page(render_html(replace(report, disk_map=disk_map), 0))
    assert [title for title in page.texts if title.startswith("private files: ")]


def colours(scheme):
    """Return the colours of the style in a light or dark scheme, by property."""
    (style,) = Page(render_html(page_report(1, 1), 0)).raw["style"]
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)[:2]
    found = dict(re.findall(r"--([\w-]+): (#\w{6})", light))
    return found | dict(re.findall(r"--([\w-]+): (#\w{6})", dark)) if scheme == "dark" else found


def luminance(colour):
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_have_enough_contrast(scheme):
    found = colours(scheme)
    assert found["surface"] == SURFACE[scheme]
    pairs = [
        (name, background)
        for name in ("text", "quiet", "accent")
        for background in ("surface", "raised")
    ]
    pairs += [("warn", "warn-surface"), ("text", "warn-surface")]
    pairs += [(f"on-{kind.value}", kind.value) for kind in AreaKind]
    pairs += [("on-pale", f"h{level}") for level in range(1, 6)]
    pairs += [("on-h6", "h6"), ("on-strong", "h7"), ("on-strong", "h8")]
    weak = {pair: contrast(found[pair[0]], found[pair[1]]) for pair in pairs}
    assert {pair: ratio for pair, ratio in weak.items() if ratio < 4.5} == {}
    # Shapes need less contrast: bars, and the edge of the search field.
    for name in ("several", "own", "unlinked", "quiet"):
        if (scheme, name) != ("light", "unlinked"):
            assert contrast(found[name], found["surface"]) >= 2.5, name
