"""The formats of a report, on a real installation, opened with the tools they are for."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import stat

import pytest
from jsonschema import Draft202012Validator
from markdown_it import MarkdownIt
from prometheus_client.parser import text_string_to_metric_families

from tests.conda.test_schemas import schema_of
from tests.support.conda_cleaning import on_terminal
from tests.support.disk import size_of
from tests.support.oracles import NOBODY, du
from tests.support.terminal_session import make_prefix, plant, report_of, row_of

EXACT = ("--grace", "0", "--no-index")
needs_ncdu = pytest.mark.skipif(shutil.which("ncdu") is None, reason="there is no ncdu here")


def written(installation, name, *options):
    return installation.hardlinks("report", *EXACT, "--format", name, *options).stdout


def refusal_of(installation, *arguments):
    """What is said on stderr of arguments that are refused."""
    done = installation.conda("hardlinks", *arguments, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    return done.stderr.strip()


def test_json_is_what_conda_s_own_option_gives(installation):
    by_format = json.loads(written(installation, "json"))
    assert by_format == report_of(installation, *EXACT)
    done = installation.conda(
        "hardlinks", "report", "--format", "json", "-n", "nowhere", check=False
    )
    assert json.loads(done.stdout)["exception_name"] == "NotFoundError"


def test_csv_has_the_figures_of_the_report(installation):
    report = report_of(installation, *EXACT)
    rows = list(csv.DictReader(io.StringIO(written(installation, "csv", "--sort", "name"))))
    kinds = [row["kind"] for row in rows]
    assert kinds == [*("environment" for _ in report["environments"]), "cache", "total"]
    names = [row["name"] for row in rows if row["kind"] == "environment"]
    assert names == sorted(names)
    for row in rows[: len(names)]:
        figures = row_of(report, row["name"])
        for field in ("size_bytes", "exclusive_bytes", "with_clean_bytes"):
            assert int(row[field]) == figures[field]
    assert int(rows[-1]["size_bytes"]) == du(installation.root_prefix)[0]
    packages = list(csv.DictReader(io.StringIO(written(installation, "csv", "--packages"))))
    expected = report_of(installation, *EXACT, "--packages")["packages"]
    assert {row["package"]: int(row["size_bytes"]) for row in packages} == {
        package["name"]: package["size_bytes"] for package in expected
    }
    causes = csv.DictReader(io.StringIO(written(installation, "csv", "--why")))
    work = next(row for row in causes if row["name"] == "work")
    private = row_of(report_of(installation, *EXACT, "--why"), "work")["private"]
    assert {name: int(work[f"private_{name}_bytes"]) for name in private} == private


@pytest.mark.parametrize(
    "options", [(), ("-n", "work"), ("--packages", "--why", "--du", "--if-removed", "work")]
)
def test_markdown_has_the_tables_that_are_printed(installation, options):
    page = written(installation, "markdown", *options)
    cells = [
        token.content for token in MarkdownIt("gfm-like", {"linkify": False}).parse(page)
        if token.type == "inline"
    ]  # fmt: skip
    printed = installation.hardlinks("report", *EXACT, "-q", *options).stdout
    for cell in cells:
        plain = re.sub(r"\\(.)", r"\1", cell).strip("*_")
        assert plain in printed
    assert len(cells) > 10


def test_metrics_are_those_of_the_report(installation):
    families = list(text_string_to_metric_families(written(installation, "prometheus", "--why")))
    values = {
        (sample.name, sample.labels.get("environment"), sample.labels.get("cause")): sample.value
        for family in families
        for sample in family.samples
    }
    report = report_of(installation, *EXACT, "--why")
    assert values["conda_hardlinks_on_disk_bytes", None, None] == du(installation.root_prefix)[0]
    work = row_of(report, "work")
    name = "conda_hardlinks_environment_exclusive_bytes"
    assert values[name, "work", None] == work["exclusive_bytes"]
    name = "conda_hardlinks_environment_private_bytes"
    assert values[name, "work", "pip"] == work["private"]["pip"] > 0


def test_without_the_client_library_metrics_say_what_is_missing(installation, tmp_path):
    (tmp_path / "prometheus_client.py").write_text("raise ImportError('not here')\n")
    env = {"PYTHONPATH": str(tmp_path)}
    done = installation.conda("hardlinks", "report", "--format", "prometheus", check=False, env=env)
    assert (done.returncode, done.stdout) == (1, "")
    assert "needs the package prometheus_client" in done.stderr


@needs_ncdu
def test_ncdu_shows_the_sizes_of_the_report(installation, tmp_path):
    file = str(tmp_path / "report.ncdu")
    written(installation, "ncdu", "--output", file)
    code, screen = on_terminal(
        installation,
        *("ncdu", "-f", file),
        columns=120,
        env={"TERM": "ansi"},
        prompt=(b"Total disk usage", b"Item info"),
        answer=(b"i", b"iq"),
    )
    assert code == 0
    screen = " ".join(re.sub(r"\x1b(?:\[[0-9;?]*[a-zA-Z]|[()].)", " ", screen).split())
    total = re.search(r"Total disk usage: ([0-9.]+) MiB", screen)
    assert abs(float(total[1]) - du(installation.root_prefix)[0] / 2**20) <= 0.05
    name = re.search(r"Name: (\S+)", screen)[1]
    shown = re.search(r"Disk usage: \S+ \S+ \( ([0-9.,]+) B\)", screen)[1]
    path = os.path.join(installation.root_prefix, name)
    # the folder around the environments is counted with the other folders of base
    around = size_of(path) if path == installation.envs_dir else 0
    assert int(re.sub(r"\D", "", shown)) == du(path)[0] - around


class TestOutput:
    """`--output FILE`."""

    @pytest.mark.parametrize("name", ["table", "json", "csv", "markdown", "ncdu", "prometheus"])
    def test_a_file_has_what_would_be_printed(self, installation, tmp_path, name):
        file = tmp_path / "report"
        assert written(installation, name, "--output", str(file)) == ""
        printed = written(installation, name, "-q")
        timeless = [re.sub(r"timestamp\S* \S+", "", text) for text in (file.read_text(), printed)]
        assert timeless[0] == timeless[1] != ""
        assert os.listdir(tmp_path) == ["report"]

    def test_a_new_file_has_the_usual_permissions_and_an_old_one_keeps_its_own(
        self, installation, tmp_path
    ):
        new, old = tmp_path / "new", tmp_path / "old"
        old.write_text("old")
        old.chmod(0o640)
        mask = os.umask(0o027)
        try:
            for file in (new, old):
                written(installation, "csv", "--output", str(file))
        finally:
            os.umask(mask)
        assert [stat.S_IMODE(file.stat().st_mode) for file in (new, old)] == [0o640, 0o640]
        assert old.read_text() == new.read_text()

    def test_output_and_html_cannot_name_the_same_file(self, installation, tmp_path):
        (tmp_path / "link").symlink_to("file")
        files = ("--output", f"{tmp_path}/file", "--html", f"{tmp_path}/link")
        said = refusal_of(installation, "report", *files)
        assert f"--html and --output are both {tmp_path}/file: name two files." in said
        assert os.listdir(tmp_path) == ["link"]

    def test_output_follows_a_symbolic_link(self, installation, tmp_path):
        (tmp_path / "there").mkdir()
        link = tmp_path / "link"
        link.symlink_to("there/file")
        written(installation, "csv", "--output", str(link))
        assert link.is_symlink()
        assert (tmp_path / "there" / "file").read_text().startswith("kind,")

    def test_output_refuses_a_file_that_is_already_open(self, installation, tmp_path):
        log = tmp_path / "log"
        log.write_text("kept\n")
        conda = f"{installation.root_prefix}/bin/conda"
        for name in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"):
            command = f"'{conda}' hardlinks report --output {name} >> '{log}'"
            done = installation.run("bash", "-c", command, check=False)
            assert done.returncode == 1
            assert f"--output {name}: not a regular file" in done.stderr
        assert log.read_text() == "kept\n"

    def test_a_variable_that_asks_for_colour_changes_no_file(self, installation, tmp_path):
        plain, coloured = tmp_path / "plain", tmp_path / "coloured"
        written(installation, "table", "--output", str(plain))
        for name in ("FORCE_COLOR", "TTY_COMPATIBLE"):
            options = ("report", *EXACT, "--output", str(coloured))
            installation.hardlinks(*options, env={name: "1", "COLUMNS": "40", "LINES": "5"})
            assert coloured.read_text() == plain.read_text()

    def test_an_old_file_keeps_its_owner(self, installation, tmp_path):
        if os.geteuid() != 0:
            pytest.skip("only root can give a file away")
        file = tmp_path / "report"
        file.write_text("")
        os.chown(file, NOBODY, NOBODY)
        file.chmod(0o600)
        written(installation, "csv", "--output", str(file))
        assert (file.stat().st_uid, stat.S_IMODE(file.stat().st_mode)) == (NOBODY, 0o600)

    @pytest.mark.parametrize(
        ("place", "why"),
        [("no/file", "the folder {top}/no does not exist"), ("", "a folder. Name a file in it")],
    )
    def test_a_file_that_cannot_be_written_is_an_error(self, installation, tmp_path, place, why):
        file = f"{tmp_path}/{place}"
        said = refusal_of(installation, "report", "--format", "csv", "--output", file)
        assert f"--output {file}: {why.format(top=tmp_path)}" in said
        assert os.listdir(tmp_path) == []

    def test_a_full_disk_leaves_the_previous_report(self, installation, tmp_path):
        file = tmp_path / "report.prom"
        file.write_text("last\n")
        conda = f"{installation.root_prefix}/bin/conda"
        command = f"ulimit -f 1; exec '{conda}' hardlinks report --no-index --output '{file}'"
        no_bytecode = {"PYTHONDONTWRITEBYTECODE": "1"}  # which would be cut short as well
        done = installation.run(
            "bash", "-c", f"{command} --format prometheus", check=False, env=no_bytecode
        )
        assert done.returncode == 1
        assert "could not be written and is unchanged: file too large" in done.stderr
        assert file.read_text() == "last\n"
        assert os.listdir(tmp_path) == ["report.prom"]


class TestRefused:
    """What has no place in a format."""

    @pytest.mark.parametrize(
        ("options", "sentence"),
        [
            (("--format", "csv", "-n", "work"), "--format csv cannot show -n and -p"),
            (("--format", "csv", "--du"), "--format csv cannot show --du"),
            (("--format", "csv", "--packages", "--why"), "--format csv prints one table"),
            (("--format", "ncdu", "--packages"), "--format ncdu cannot show --packages"),
            (("--format", "prometheus", "--if-removed", "work"), "cannot show --if-removed"),
        ],
    )
    def test_contradicting_options_give_one_sentence(self, installation, options, sentence):
        said = refusal_of(installation, "report", *options)
        assert sentence in said
        assert len(said.splitlines()) == 1

    def test_json_and_another_format_contradict_each_other(self, installation):
        done = installation.conda("hardlinks", "report", "--json", "--format", "csv", check=False)
        assert done.returncode == 1
        assert "contradict each other" in json.loads(done.stdout)["message"]

    def test_the_last_of_two_formats_counts(self, installation):
        done = installation.hardlinks("report", *EXACT, "--format", "json", "--format", "csv")
        assert done.stdout.startswith("kind,")

    def test_a_format_overrides_the_setting_json(self, installation):
        done = installation.hardlinks(
            "report", *EXACT, "--format", "csv", env={"CONDA_JSON": "true"}
        )
        assert done.stdout.startswith("kind,")


def test_hostile_names_are_not_markup_in_any_format(changing):
    names = (b"esc\x1b[31mred", b"new\nline", b"not-utf8-\xff", b"=1+1", b"a|b", b'"quoted"')
    for name in names:
        prefix = make_prefix(os.fsdecode(os.path.join(os.fsencode(changing.envs_dir), name)))
        plant(os.path.join(prefix, "lib/file"))
    rows = list(csv.DictReader(io.StringIO(written(changing, "csv"))))
    assert {"esc\\x1b[31mred", "new\\nline", "not-utf8-\\xff", "'=1+1", '"quoted"'} <= {
        row["name"] for row in rows
    }
    families = text_string_to_metric_families(written(changing, "prometheus"))
    shown = {sample.labels.get("environment") for family in families for sample in family.samples}
    assert {"esc\\x1b[31mred", "new\\nline", '"quoted"', "a|b"} <= shown
    assert "| a\\|b | " in written(changing, "markdown")


class TestMerge:
    """`conda hardlinks merge`."""

    @pytest.fixture
    def reports(self, installation, tmp_path):
        files = [str(tmp_path / name) for name in ("node1.json", "node2.json")]
        for file in files:
            written(installation, "json", "--output", file)
        return files

    def test_reports_are_added_up(self, installation, reports):
        text = installation.hardlinks("merge", *reports).stdout
        assert {line.split()[0] for line in text.splitlines()[1:3]} == {"node1", "node2"}
        assert "2 machines, 8 environments" in text
        assert "is the same in node1 and node2" in text

    def test_merged_reports_in_json_follow_the_schema(self, installation, reports):
        merged = json.loads(installation.hardlinks("merge", *reports, "--json").stdout)
        Draft202012Validator(schema_of("merge")).validate(merged)
        assert merged["together"]["on_disk_bytes"] == 2 * du(installation.root_prefix)[0]
        assert [machine["name"] for machine in merged["machines"]] == ["node1", "node2"]
        assert len(merged["seen_again"]) == 5

    def test_a_file_that_is_not_a_report_is_named(self, installation, reports, tmp_path):
        (tmp_path / "text.json").write_text("text")
        (tmp_path / "latin.json").write_bytes(b'"\xff"')
        (tmp_path / "link.json").symlink_to("node1.json")
        for bad, why in (
            (str(tmp_path / "text.json"), "is not valid JSON"),
            (str(tmp_path / "latin.json"), "is not text in UTF-8"),
            (str(tmp_path / "gone.json"), "cannot be read: no such file or directory"),
            (reports[0], "is given twice"),
            (str(tmp_path / "link.json"), "is given twice, before as "),
        ):
            said = refusal_of(installation, "merge", *reports, bad)
            assert bad in said
            assert why in said

    def test_merge_needs_only_the_files(self, installation, reports):
        done = installation.conda("hardlinks", "merge", *reports, check=False)
        assert done.returncode == 0
        assert done.stderr == ""


def test_a_reader_that_ends_early_is_not_an_error(installation):
    command = f"{installation.root_prefix}/bin/conda hardlinks report --format csv | head -n 1"
    done = installation.run("bash", "-o", "pipefail", "-c", command, check=False)
    assert done.stdout.startswith("kind,")
    assert done.stderr == ""
    assert done.returncode in {0, 128 + signal.SIGPIPE}


@pytest.mark.parametrize("verb", [("report",), ("explain", "forgotten"), ("clean", "--dry-run")])
def test_closed_stderr_changes_nothing(installation, verb):
    conda = f"{installation.root_prefix}/bin/conda"
    command = f"'{conda}' hardlinks {' '.join(verb)} --grace 0"
    plain = installation.run("bash", "-c", command)
    done = installation.run("bash", "-c", f"{command} 2>&-", check=False)
    assert done.returncode == 0
    assert done.stdout.splitlines()[0] == plain.stdout.splitlines()[0] != ""


def test_a_pipe_is_not_cut_by_a_variable_that_asks_for_colour(installation):
    done = installation.hardlinks("report", *EXACT, env={"FORCE_COLOR": "1", "LINES": "5"})
    plain = installation.hardlinks("report", *EXACT)
    assert re.sub(r"\x1b\[[0-9;]*m", "", done.stdout) == plain.stdout
