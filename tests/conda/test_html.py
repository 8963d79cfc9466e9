"""`--html`: what is written, what is refused, and the page as a browser shows it."""

from __future__ import annotations

import json
import os
import stat
import time

import pytest
from selenium.webdriver.common.keys import Keys

from conda_hardlink_plugin.cli.output_file import check_file
from conda_hardlink_plugin.exceptions import HardlinksError
from conda_hardlink_plugin.render.html import render_html
from tests.conda.test_arguments import assert_one_sentence
from tests.support import browsing
from tests.support.disk import snapshot_but_index
from tests.support.forking import in_child
from tests.support.oracles import NOBODY
from tests.support.pages import page_report
from tests.support.terminal_session import make_prefix, plant, report_of

RAN = "document.title='ran'"
HOSTILE_PACKAGES = [f"<img src=x onerror={RAN}>", f"'\"><svg onload={RAN}>", "<b>{{7*7}}&lt;"]
HOSTILE_FOLDER = f"<</script><script>{RAN}<</script>"
in_a_browser = pytest.mark.skipif(not browsing.IS_THERE, reason=browsing.HOW_TO_HAVE_ONE)


def test_the_page_is_written_in_addition_to_the_report(installation, tmp_path):
    page = f"{tmp_path}/page.html"
    plain = installation.hardlinks("report", "--no-index")
    done = installation.hardlinks("report", "--no-index", "--html", page)
    assert done.stdout == plain.stdout
    assert done.stderr == f"The page is in {page}.\n"
    assert os.listdir(tmp_path) == ["page.html"]
    with open(page, encoding="utf-8") as file:
        text = file.read()
    assert text.startswith("<!DOCTYPE html>")
    for row in report_of(installation)["environments"]:
        assert f'data-v="{row["size_bytes"]}"' in text


def test_with_json_stdout_is_the_same_object_and_nothing_else(installation, tmp_path):
    options = ("--no-index", "--packages")
    plain = report_of(installation, *options)
    assert report_of(installation, *options, "--html", f"{tmp_path}/page.html") == plain
    assert os.listdir(tmp_path) == ["page.html"]


def test_quiet_says_nothing_on_stderr(installation, tmp_path):
    assert installation.hardlinks("report", "-q", "--html", f"{tmp_path}/p").stderr == ""


def test_nothing_but_the_page_is_written(changing, tmp_path):
    before = snapshot_but_index(changing)
    changing.hardlinks("report", "--html", f"{tmp_path}/page.html")
    assert snapshot_but_index(changing) == before
    assert os.listdir(tmp_path) == ["page.html"]


def test_a_page_replaces_a_file_and_keeps_its_mode(installation, tmp_path):
    page, link = tmp_path / "page.html", tmp_path / "link.html"
    page.write_text("old")
    page.chmod(0o600)
    link.symlink_to("page.html")
    conda = f"{installation.root_prefix}/bin/conda"
    command = 'umask 027; exec "$0" hardlinks report --html "$1"'
    installation.run("sh", "-c", command, conda, str(link))
    assert link.is_symlink()
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("none/page.html", "does not exist. Create it first"),
        (".", "a folder. Name a file in it"),
        ("folder", "a folder. Name a file in it"),
        ("new/", "a folder. Name a file in it"),
        ("pipe", "not a regular file"),
        ("/dev/null", "not a regular file"),
        ("/proc/page.html", "/proc"),
        ("a" * 300, "file name too long"),
    ],
)
def test_a_page_that_cannot_be_written_gives_one_sentence_and_exit_code_1(
    installation, tmp_path, name, sentence
):
    os.mkdir(tmp_path / "folder")
    os.mkfifo(tmp_path / "pipe")
    page = os.path.join(tmp_path, name)
    done = installation.hardlinks("report", "--html", page, check=False)
    assert done.returncode == 1
    assert done.stdout == ""
    assert_one_sentence(done.stderr, sentence)
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]
    assert stat.S_ISFIFO(os.lstat(tmp_path / "pipe").st_mode)


def test_a_page_that_cannot_be_written_gives_an_object_with_json(installation, tmp_path):
    done = installation.hardlinks("report", "--html", str(tmp_path), "--json", check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["exception_name"] == "HardlinksError"


def test_a_folder_that_cannot_be_written_is_refused_before_the_scan():
    def refused():
        try:
            return check_file("--html", "/usr/page.html")
        except HardlinksError as error:
            return str(error)

    said = in_child(refused, user=NOBODY)
    assert said == (
        "--html /usr/page.html: you cannot write to /usr. Name a file in another folder."
    )


def test_a_full_disk_leaves_the_old_page(installation, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("old")
    conda = f"{installation.root_prefix}/bin/conda"
    command = 'ulimit -f 8; exec "$0" hardlinks report --no-index --html "$1"'
    no_bytecode = {"PYTHONDONTWRITEBYTECODE": "1"}  # which would be cut short as well
    done = installation.run("sh", "-c", command, conda, str(page), check=False, env=no_bytecode)
    assert done.returncode == 1
    assert_one_sentence(done.stderr, "could not be written and is unchanged")
    assert os.listdir(tmp_path) == ["page.html"]
    assert page.read_text() == "old"


def test_the_modules_that_draw_a_page_are_loaded_only_for_a_page(installation):
    code = (
        "import json, sys; from conda.cli import main; sys.argv[:] = ['conda', *sys.argv[1:]]\n"
        "try: main()\n"
        "finally: sys.stderr.write(json.dumps(sorted(sys.modules)))"
    )
    python = f"{installation.root_prefix}/bin/python"
    loaded = set(json.loads(installation.run(python, "-c", code, "hardlinks", "report").stderr))
    assert "conda_hardlink_plugin.render.table" in loaded
    drawing = {"report.disk_map", "render.html", "render.treemap"}
    # Other plugins may load jinja2.
    assert not {"squarify", *(f"conda_hardlink_plugin.{name}" for name in drawing)} & loaded


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    """A browser."""
    with browsing.browser(str(tmp_path_factory.mktemp("browser"))) as window:
        yield window


@pytest.fixture(scope="module")
def page(installation, tmp_path_factory):
    """A page of the installation."""
    path = str(tmp_path_factory.mktemp("page") / "page.html")
    installation.hardlinks("report", "--html", path)
    return path


@pytest.fixture
def hostile(changing, tmp_path):
    """A page of an installation with names that would do something, were they not escaped."""
    for name in HOSTILE_PACKAGES:
        plant(f"{changing.pkgs_dir}/{name}-1.0-0/info/index.json")
    for name in HOSTILE_PACKAGES:
        plant(f"{make_prefix(f'{changing.envs_dir}/{name}')}/own")
    make_prefix(f"{tmp_path}/searched/{HOSTILE_FOLDER}")
    page = f"{tmp_path}/page.html"
    changing.hardlinks("report", "--grace", "0", "--search", f"{tmp_path}/searched", "--html", page)
    return page


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """A page of forty environments and five thousand packages."""
    page = tmp_path_factory.mktemp("large") / "page.html"
    page.write_text(render_html(page_report(40, 5000), 0), encoding="utf-8")
    return str(page)


def assert_calm(window):
    """That nothing was complained of, asked for from elsewhere, or run by a name."""
    assert window.console() == []
    assert {address.split(":")[0] for address in window.requests()} <= {"file", "data"}
    assert window.driver.title.startswith("conda hard links: ")


@in_a_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 760, 400])
def test_the_browser_shows_the_page_without_errors(window, page, scheme, width):
    window.open(page, scheme=scheme, width=width)
    assert_calm(window)
    shown = window.run("""
        return [...document.querySelectorAll(".map")]
          .map((map) => [map.getBoundingClientRect().width, map.querySelectorAll(".tile").length])
          .filter(([width]) => width);
    """)
    ((across, tiles),) = shown
    assert across <= width
    assert tiles > 10
    assert window.run("return document.documentElement.scrollWidth") <= width
    scan_roots = window.run("return getComputedStyle(document.body).backgroundColor")
    assert scan_roots == {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 23, 27)"}[scheme]
    rows = window.column("#environment-table", 0)
    assert sorted(rows) == ["base", "sharing", "softlinked (softlinked)", "work"]


@in_a_browser
def test_hostile_names_are_shown_and_run_nothing(window, hostile):
    window.open(hostile)
    assert_calm(window)
    packages, rows = window.column("#package-table", 0), window.column("#environment-table", 0)
    for name in HOSTILE_PACKAGES:
        assert f"{name}-1.0-0" in packages
        assert name in rows
    assert any(HOSTILE_FOLDER in name for name in rows)
    assert window.run("return document.scripts.length") == 1
    assert window.run("return document.images.length") == 0
    window.press("/", "onerror")
    assert window.column("#package-table", 0) == [f"{HOSTILE_PACKAGES[0]}-1.0-0"]
    window.press(Keys.TAB, Keys.ESCAPE)
    for tile in window.driver.find_elements("css selector", ".map.wide .tile")[:20]:
        window.run("arguments[0].dispatchEvent(new MouseEvent('click', {bubbles: true}))", tile)
    assert_calm(window)


@in_a_browser
def test_a_name_that_runs_a_script_is_noticed(window, tmp_path):
    """Without escapes and a policy the names of this test do something."""
    page = tmp_path / "page.html"
    page.write_text(f"<title>conda hard links: </title>{HOSTILE_PACKAGES[0]}")
    window.open(str(page))
    time_out = time.monotonic() + 10
    while window.driver.title != "ran" and time.monotonic() < time_out:
        pass
    with pytest.raises(AssertionError):
        assert_calm(window)


@in_a_browser
def test_a_column_is_sorted_by_click_and_by_key(window, large):
    window.open(large)
    report = page_report(40, 5000)
    names = {row.name: row for row in report.environments}
    table = "#environment-table"
    heading = window.driver.find_elements("css selector", f"{table} thead button")[3]

    def exclusive():
        return [names[name].exclusive_bytes for name in window.column(table, 0)]

    def direction():
        script = "return arguments[0].closest('th').getAttribute('aria-sort')"
        return window.run(script, heading)

    sizes = [names[name].size_bytes for name in window.column(table, 0)]
    assert sizes == sorted(sizes, reverse=True)
    assert direction() is None
    heading.click()
    assert exclusive() == sorted(exclusive(), reverse=True)
    assert direction() == "descending"
    window.press(Keys.ENTER)  # it has the focus
    assert exclusive() == sorted(exclusive())
    assert direction() == "ascending"
    assert window.run(f"return document.querySelectorAll('{table} [aria-sort]').length") == 1
    window.press(Keys.SHIFT + Keys.TAB + Keys.SHIFT, Keys.SHIFT + Keys.TAB + Keys.SHIFT)
    window.driver.find_elements("css selector", f"{table} thead button")[0].send_keys(Keys.SPACE)
    assert window.column(table, 0) == sorted(names)
    assert len(window.column(table, 0)) == 40
    assert_calm(window)


@in_a_browser
def test_the_search_box_filters_all_tables(window, large):
    window.open(large)
    assert len(window.column("#package-table", 0)) == 200  # the first ones
    window.press("/")
    assert window.run("return document.activeElement.id") == "search"
    window.press("NumPy-12")
    found = window.column("#package-table", 0)
    packages = [package.name for package in page_report(40, 5000).disk_map.packages]
    expected = {name for name in packages if "numpy-12" in name}
    assert set(found) == expected
    assert len(expected) > 5
    assert window.run("return document.getElementById('matches').textContent") == (
        f"0 of 40 environments, {len(expected)} of 5,000 packages"
    )
    assert window.column("#environment-table", 0) == []
    window.press(Keys.ESCAPE)
    assert window.run("return document.getElementById('search').value") == ""
    assert len(window.column("#environment-table", 0)) == 40
    more = window.driver.find_elements("css selector", ".more")[-1]
    assert more.text == "Show all 5,000 rows"
    more.click()
    assert sorted(window.column("#package-table", 0)) == sorted(packages)
    assert_calm(window)


@in_a_browser
def test_the_map_is_used_with_the_keyboard(window, large):
    window.open(large)
    window.run("document.querySelector('.map.wide .tile[tabindex=\"0\"]').focus()")
    seen = []
    for key in (
        Keys.ARROW_RIGHT,
        Keys.ARROW_DOWN,
        Keys.ARROW_RIGHT,
        Keys.ARROW_LEFT,
        Keys.ARROW_UP,
    ):
        window.press(key)
        title = window.run("return document.activeElement.querySelector('title').textContent")
        assert window.run("return document.getElementById('readout').textContent") == title
        seen.append(title)
    assert len(set(seen)) >= 3
    assert window.run("return document.querySelectorAll('.map.wide [tabindex=\"0\"]').length") == 1
    window.run("document.querySelector('.map.wide .tile[data-packages^=\"27\"]').focus()")
    window.press(Keys.ENTER)
    packages = page_report(40, 5000).disk_map.packages
    assert window.column("#package-table", 0) == [packages[27].name]
    users = {user.name for user in packages[27].environments}
    assert set(window.column("#environment-table", 0)) == users
    assert users
    chosen = window.driver.find_element("id", "chosen")
    assert chosen.text.startswith(packages[27].name)
    chosen.click()
    assert len(window.column("#environment-table", 0)) == 40
    assert_calm(window)


@in_a_browser
def test_an_entry_of_the_legend_shows_its_packages(window, large):
    window.open(large)
    entry = window.driver.find_element("css selector", "[data-kind=unused]")
    entry.click()
    packages = page_report(40, 5000).disk_map.packages
    unused = sum(package.unused for package in packages)
    text = window.run("return document.getElementById('matches').textContent")
    assert text == f"0 of 40 environments, {unused:,} of 5,000 packages"
    assert set(window.column("#package-table", 3)) == {"unused"}
    assert entry.get_attribute("aria-pressed") == "true"
    window.press(Keys.ENTER)
    assert entry.get_attribute("aria-pressed") == "false"
    assert len(window.column("#environment-table", 0)) == 40


@in_a_browser
def test_the_matrix_is_read_with_the_arrow_keys(window, large):
    window.open(large)
    window.run("document.querySelector('#matrix td[tabindex=\"0\"]').focus()")
    window.press(Keys.ARROW_DOWN, Keys.ARROW_RIGHT)
    said = window.run("return document.getElementById('matrix-readout').textContent")
    report = page_report(40, 5000)
    one, other = (report.environments[place].name for place in (1, 2))
    assert said.startswith(f"{one} and {other} share ")


@in_a_browser
def test_five_thousand_packages_stay_smooth(window, large):
    """Each step within a quarter of a second, also on a busy machine."""
    window.open(large)
    slowest = window.run("""
        const search = document.getElementById("search");
        const took = {};
        const time = (name, step) => {
          for (let turn = 0; turn < 3; turn++) {
            const begun = performance.now();
            step(turn);
            document.body.offsetHeight;
            took[name] = Math.min(took[name] ?? Infinity, performance.now() - begun);
          }
        };
        const type = (text) => { search.value = text; search.dispatchEvent(new Event("input")); };
        time("few", () => type("numpy-12"));
        time("half", () => type("analysis"));
        time("all", () => type(""));
        const headings = document.querySelectorAll("#package-table thead button");
        time("sort", (turn) => headings[turn % 2].click());
        return took;
    """)
    assert set(slowest) == {"few", "half", "all", "sort"}
    assert max(slowest.values()) < 250, slowest
