"""What shells complete, asked of the shells."""

from __future__ import annotations

import os
import re
import shlex
import shutil

import pytest

from conda_hardlink_plugin.cli import VERBS
from conda_hardlink_plugin.cli.formats import FORMATS
from conda_hardlink_plugin.cli.report import SORT_COLUMNS

_IN_BASH = """\
_other() { COMPREPLY=(other); }
complete -F _other conda
. ./script; . ./script
COMP_WORDS=(%s) COMP_CWORD=%d
_conda_hardlinks_or_other
printf '%%s\\n' "${COMPREPLY[@]}"
"""
# What is completed is read off the terminal that zsh has of its own.
_IN_ZSH = """\
zmodload zsh/zpty
zpty -b shell zsh -f -i
ask() { zpty -w shell "$1"; zpty -r -m shell text "*$2*"; }
ask "PS1=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -d ./dump; echo A''A" AA
ask "_other() { compadd other }; compdef _other conda; . ./script; . ./script; echo B''B" BB
ask "zstyle ':completion:*' insert-unambiguous false; zstyle ':completion:*' list-prompt ''" ""
ask "compadd() { local a; builtin compadd -O a \\"\\$@\\"; print -l '<'\\$^a'>' > found }" ""
zpty -w -n shell "%s"$'\\t'
for n in {1..100}; do [[ -s found ]] && break; zselect -t 5 2>/dev/null || sleep 0.05; done
zpty -d shell
cat found
"""
_IN_FISH = "source ./script; complete -C %s"


def in_bash(installation, folder, line):
    words = shlex.split(line) + ([""] if line.endswith(" ") else [])
    script = _IN_BASH % (shlex.join(words), len(words) - 1)
    return installation.run(
        "bash", "--norc", "-c", f"cd {shlex.quote(folder)}; {script}"
    ).stdout.split()


def in_fish(installation, folder, line):
    script = _IN_FISH % shlex.quote(line)
    out = installation.run("fish", "-N", "-c", f"cd {shlex.quote(folder)}; {script}").stdout
    return [row.split("\t")[0] for row in out.splitlines()]


SHELLS = {"bash": in_bash, "fish": in_fish}


@pytest.fixture(params=SHELLS)
def complete(request, installation, tmp_path):
    """Completes a line in a shell that has sourced our script."""
    shell = request.param
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")
    (tmp_path / "script").write_text(installation.hardlinks("completion", shell).stdout)
    return lambda line: set(SHELLS[shell](installation, str(tmp_path), line))


def test_verbs(complete):
    assert complete("conda hardlinks ") == set(VERBS)
    assert complete("conda hardlinks re") == {"report", "restore"}


def test_options_of_the_verb_alone(complete):
    assert complete("conda hardlinks report --s") == {"--search", "--sort"}
    assert complete("conda hardlinks clean --k") == {"--keep", "--keep-newest"}
    assert complete("conda hardlinks restore --k") == set()


def test_words_that_an_option_takes(complete):
    assert complete("conda hardlinks report --sort ") == set(SORT_COLUMNS)
    assert complete("conda hardlinks report --format ") == set(FORMATS)
    assert complete("conda hardlinks completion ") == {"bash", "zsh", "fish"}


def test_names_of_environments(complete):
    for option in ("-n", "--name", "--if-removed"):
        assert complete(f"conda hardlinks report {option} so") == {"softlinked"}


def test_files_and_folders(complete, tmp_path):
    (tmp_path / "node1.json").touch()
    (tmp_path / "nodes").mkdir()
    assert "node1.json" in complete("conda hardlinks merge node")
    folders = {name.rstrip("/") for name in complete("conda hardlinks report --search node")}
    assert folders == {"nodes"}


def test_what_stands_in_the_list_of_environments_is_never_run(changing, complete, tmp_path):
    hostile = ("$(touch ran)", "`touch ran`", "x; touch ran", "$((touch ran))")
    with open(changing.environments_txt, "a", encoding="utf-8") as file:
        file.writelines(f"/envs/{name}\n" for name in hostile)
    assert "work" in complete("conda hardlinks report -n ")
    assert not os.path.exists(tmp_path / "ran")


def test_what_completes_other_commands_stays_in_bash(installation, tmp_path):
    (tmp_path / "script").write_text(installation.hardlinks("completion", "bash").stdout)
    assert in_bash(installation, str(tmp_path), "conda cre") == ["other"]
    assert in_bash(installation, str(tmp_path), "conda hardlinks ind") == ["index"]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh here")
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("conda hardlinks re", {"report", "restore"}),
        ("conda hardlinks report --sort ", set(SORT_COLUMNS)),
        ("conda hardlinks clean --k", {"--keep", "--keep-newest"}),
        ("conda hardlinks report -n so", {"softlinked"}),
        ("conda oth", {"other"}),
    ],
)
def test_zsh_completes_too(installation, tmp_path, line, expected):
    (tmp_path / "script").write_text(installation.hardlinks("completion", "zsh").stdout)
    script = _IN_ZSH % line
    done = installation.run("zsh", "-f", "-c", f"cd {shlex.quote(str(tmp_path))}; {script}")
    assert set(re.findall("<(.*)>", done.stdout)) == expected


def test_a_shell_that_is_not_known_is_refused(installation):
    done = installation.conda("hardlinks", "completion", "ksh", check=False)
    assert done.returncode == 2
    assert "choose from" in done.stderr
