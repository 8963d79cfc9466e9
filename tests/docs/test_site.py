"""The documentation site: built without a warning, with links that lead somewhere."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit

import pytest

from conda_hardlink_plugin import __version__
from conda_hardlink_plugin.cli import VERBS
from tests.docs.blocks import documents, read
from tests.support.repository import TOP

# There is no network here: if you add a link, look where it leads.
OUTSIDE = {
    "https://semver.org",
    "https://distributed.dask.org",
    "https://github.com/hpc/mpifileutils/issues/552",
}
PROJECT = "conda-hardlink-plugin"


class Page(HTMLParser):
    """What a page leads to, what it loads, and what can be led to in it."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loaded, self.anchors = [], [], set()
        self.links_of_article, self.is_in_article = [], False
        with open(path, encoding="utf-8") as file:
            self.text = file.read()
        self.feed(self.text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.is_in_article |= tag == "article"
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if found.get("src"):
            self.loaded.append(found["src"])
        if found.get("href"):
            is_loaded = tag == "link" and found.get("rel") in ("stylesheet", "icon", "preload")
            (self.loaded if is_loaded else self.links).append(found["href"])
            if self.is_in_article:  # what is around it is the theme's
                self.links_of_article.append(found["href"])

    def handle_endtag(self, tag):
        self.is_in_article &= tag != "article"


def build(source, folder):
    """Build a site as `make docs` does, and return its folder."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q"),
            *("-d", f"{folder}.doctrees", source, folder),
        ],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site."""
    return build(f"{TOP}/docs", str(tmp_path_factory.mktemp("site")))


@pytest.fixture
def small_site(tmp_path):
    """Build the site with another address of the repository and one page; return that page."""

    def build_with(address, text="# A page\n"):
        for name in ("_extensions", "_static", "_templates"):
            shutil.copytree(f"{TOP}/docs/{name}", tmp_path / "docs" / name)
        shutil.copy(f"{TOP}/docs/conf.py", tmp_path / "docs")
        (tmp_path / "docs" / "index.md").write_text(text)
        (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{address}"\n')
        return Page(f"{build(str(tmp_path / 'docs'), str(tmp_path / 'site'))}/index.html")

    return build_with


@pytest.fixture(scope="module")
def pages(site):
    paths = (
        os.path.join(folder, name)
        for folder, _, names in os.walk(site)
        for name in names
        if name.endswith(".html") and "_static" not in os.path.relpath(folder, site)
    )
    return {path: Page(path) for path in paths}


def test_every_document_is_a_page(site, pages):
    shown = {document for document in documents() if document.startswith("docs/")}
    expected = {f"{site}/{document[5:-3]}.html" for document in shown}
    assert expected <= pages.keys()


def test_targets_of_links_exist(pages):
    broken = set()
    for path, page in pages.items():
        for link in (*page.links, *page.loaded):
            target = urlsplit(link)
            if target.scheme or target.netloc or "_static/" in target.path:
                continue  # what is static is the theme's, which misses a file in some versions
            place = os.path.normpath(os.path.join(os.path.dirname(path), unquote(target.path)))
            place = place if target.path else path
            anchors = pages[place].anchors if place in pages else set()
            if not os.path.isfile(place) or not {unquote(target.fragment)} - {""} <= anchors:
                broken.add((path, link))
    assert broken == set()


def test_nothing_is_loaded_from_elsewhere(pages):
    loaded = {url for page in pages.values() for url in page.loaded}
    assert {url for url in loaded if "//" in url} == set()


def test_few_links_lead_outside(pages):
    links = {url for page in pages.values() for url in page.links_of_article}
    assert {url for url in links if "//" in url} == OUTSIDE


def test_anchors_in_documents_are_those_of_a_code_host():
    """As `[text](page.md#a-heading)`, which a code host makes of the heading."""
    wrong = []
    for document in documents():
        folder = os.path.dirname(document)
        for path, anchor in re.findall(r"\]\(([^)#:\s]*)#([^)\s]+)\)", read(document)):
            target = os.path.normpath(os.path.join(folder, path)) if path else document
            if anchor not in anchors_of(read(target)):
                wrong.append((document, path, anchor))
    assert wrong == []


def anchors_of(text):
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_commands_have_all_options(site, pages):
    page = pages[f"{site}/reference/commands.html"].text
    for name in VERBS:
        assert f"conda hardlinks {name}" in page
    for option in ("--if-removed", "--older-than", "--clear", "15m"):
        assert option in page


def test_the_fields_of_a_schema_are_named_by_their_path(site, pages):
    page = pages[f"{site}/reference/json.html"].text
    for field in ("environments[].exclusive_bytes", "totals.saved_bytes", "aliases", "file.links"):
        assert field in page


def test_every_schema_has_its_fields_on_the_page():
    names = os.listdir(os.path.join(TOP, "docs", "reference"))
    schemas = {name for name in names if name.endswith(".schema.json")}
    shown = re.findall(r"^```\{json-schema\} (.+)$", read("docs/reference/json.md"), re.MULTILINE)
    assert set(shown) == schemas


def test_every_page_shows_the_version(pages):
    version = f"{PROJECT} {__version__}"
    assert [path for path, page in pages.items() if version not in page.text] == []


def test_the_repository_has_one_address():
    with open(os.path.join(TOP, "pyproject.toml"), encoding="utf-8") as file:
        (address,) = re.findall(r'^Repository = "(.+)"$', file.read(), re.MULTILINE)
    tracked = subprocess.run(
        ["git", "grep", "--files-with-matches", "--fixed-strings", address],
        check=False,
        cwd=TOP,
        capture_output=True,
        text=True,
    )
    assert tracked.stdout.splitlines() in ([], ["pyproject.toml"])  # none without git


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://example.invalid/owner/name", set()),
        (
            "https://github.com/owner/name",
            {
                "https://github.com/owner/name",
                "https://github.com/owner/name/edit/main/docs/index.md",
            },
        ),
        (
            "https://gitlab.com/group/part/name",
            {
                "https://gitlab.com/group/part/name",
                "https://gitlab.com/group/part/name/-/edit/main/docs/index.md",
            },
        ),
        ("https://example.org/owner/name", {"https://example.org/owner/name"}),
    ],
)
def test_the_site_links_to_the_repository_unless_its_address_is_a_placeholder(
    small_site, address, expected
):
    page = small_site(address)
    host = urlsplit(address).hostname
    assert {link for link in page.links if urlsplit(link).hostname == host} == expected
    assert "example.invalid" not in page.text


def test_a_page_can_contain_documentation_from_docstrings(small_site):
    directive = ".. automodule:: conda_hardlink_plugin.formatting\n   :members:"
    page = small_site("https://example.invalid/", f"# API\n\n```{{eval-rst}}\n{directive}\n```\n")
    assert {anchor for anchor in page.anchors if anchor.startswith("conda_hardlink_plugin.")}


def test_headings_of_options_do_not_repeat_the_command(site, pages):
    headings = re.findall(r"<h3>(.*?)<", pages[f"{site}/reference/commands.html"].text)
    assert len(headings) > len(VERBS)
    assert [heading for heading in headings if heading.split()[0] in VERBS] == []
    assert [heading for heading in headings if not heading[0].isupper()] == []
