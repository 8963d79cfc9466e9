"""Transactions of the real conda, what is said of them, and the same figures by du."""

from __future__ import annotations

import ast
import builtins
import contextlib
import functools
import hashlib
import importlib.machinery
import io
import itertools
import json
import os
import re
import stat
import sys

from conda_hardlink_plugin.formatting import count, size
from tests.support.oracles import du
from tests.support.repository import TOP

WITHOUT = {"CONDA_NO_PLUGINS": "true"}
SOFT = {"CONDA_ALWAYS_SOFTLINK": "1"}
OVER = "measuring took too long; `conda hardlinks report` shows the figures"

_PACKAGE = "conda_hardlink_plugin"
FAULTY = (
    *(
        f"hooks.{name}"
        for name in ("copy_reasons", "preflight", "summary", "transaction_state", "transactions")
    ),
    *("analysis.transaction_figures", "metadata.leases", "settings", "render.transaction_summary"),
)
_SERVING = """\
import sys

sys.path.insert(0, sys.argv.pop(1))
from tests.support.transactions import main

main(*sys.argv[1:])
"""
_EXCEPTIONS = (Exception, KeyboardInterrupt, MemoryError, SystemExit)
_CALLS = 8  # of one function that fail, and the last
_SAYS = "hardlinks: "
_CAUSES = ("prefix", "bytecode", "copies", "entry points", "symbolic links", "not linkable")
_REWRITTEN = ("bin/placeholder", "etc/placeholder.conf", "share/kernels/kernel.json")
_ENTRY_POINTS = ("bin/entry",)
_MOMENT = re.compile(rb"(?m)^==> .* <==$")  # in a history


def said(done):
    """Our lines on stderr, without what they begin with; that nothing else is ours is asserted."""
    return said_in({"stdout": done.stdout, "stderr": done.stderr})


def said_in(result):
    """The same, of one of several commands in one process."""
    lines = [line for line in result["stderr"].splitlines() if "hardlinks" in line]
    assert all(line.startswith(_SAYS) for line in lines), lines
    assert "hardlinks" not in result["stdout"]
    assert len(lines) <= 4
    return [line.removeprefix(_SAYS) for line in lines]


# ---------------------------------------------------------------------------- figures


def linked_line(installation, prefix, *packages, pkgs_dir=None):
    """What is to be said of packages that were linked, by du."""
    causes, paths = [], []
    for package in packages:
        paths += [f"{prefix}/{name}" for name in files_of(prefix, package)]
        causes += [_cause(prefix, package, name) for name in files_of(prefix, package)]
    unique = sum(du(*paths)) if paths else 0
    parts, private = [], dict.fromkeys(_CAUSES, 0)
    figures = du(pkgs_dir or installation.pkgs_dir, *paths)[1:]  # nothing for links into the cache
    for cause, figure in zip(causes, figures, strict=True):
        private[cause] += figure
    alone = sum(private.values())
    if unique > alone:
        parts.append(f"{size(unique - alone)} hard-linked to the cache")
    if alone:
        why = ", ".join(f"{cause} {size(figure)}" for cause, figure in private.items() if figure)
        parts.append(f"{size(alone)} private ({why})")
    said_of_all = f"{count(len(packages), 'package')}, {size(unique)}"
    return f"{said_of_all}: {', '.join(parts)}" if parts else said_of_all


def added_line(installation, prefix, *, pkgs_dir=None):
    """What is to be said of a new environment, by du."""
    added = du(pkgs_dir or installation.pkgs_dir, prefix)[1]
    assert added
    return f"the environment adds {size(added)} to the disk"


def removed_line(packages, unlinked, freed, left=0):
    """What is to be said of packages that were unlinked, by their figures."""
    line = f"removed {count(packages, 'package')}, {size(unlinked)}: freed {size(freed)}"
    if left:
        line += (
            f"; {size(left)} of them are left in the cache without hard links from an environment:"
            " `conda hardlinks clean` removes unused packages"
        )
    return line


def unmeasured_line(packages):
    """What is to be said of packages that were unlinked and not measured."""
    said_of_all = count(packages, "package")
    return f"removed {said_of_all}; `conda hardlinks report` shows what is left in the cache"


def held_by(prefix, *packages):
    """The bytes of the files and records of packages, by du."""
    names = [name for package in packages for name in files_of(prefix, package)]
    return sum(du(*(f"{prefix}/{name}" for name in names), *(records_of(prefix, *packages))))


def files_of(prefix, package):
    """The files of a package that are there, as its record has them."""
    names = _record(prefix, package)["files"]
    return [name for name in names if os.path.lexists(f"{prefix}/{name}")]


def packages_of(prefix):
    """The names of the packages in an environment."""
    names = sorted(os.listdir(f"{prefix}/conda-meta"))
    return [name.rsplit("-", 2)[0] for name in names if name.endswith(".json")]


def records_of(prefix, *packages):
    """The paths of the records of packages."""
    folder = f"{prefix}/conda-meta"
    names = [name for name in os.listdir(folder) if name.rsplit("-", 2)[0] in packages]
    assert len(names) == len(packages)
    return [f"{folder}/{name}" for name in names]


def _record(prefix, package):
    (path,) = records_of(prefix, package)
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def _cause(prefix, package, name):
    if os.path.islink(f"{prefix}/{name}"):
        return "symbolic links"
    # conda copies the interpreter that an absolute link of a package leads to.
    if name.startswith("bin/python") and _record(prefix, package)["link"]["type"] == 1:
        return "not linkable"
    if name.endswith(".pyc"):
        return "bytecode"
    if name in _ENTRY_POINTS:
        return "entry points"
    return "prefix" if name in _REWRITTEN else "copies"


# ---------------------------------------------------------------------------- other processes


def conda_after(installation, code, *arguments, check=True, env=None):
    """Run conda in a process that has run some code before."""
    script = f"import os, sys\n{code}\nfrom conda.cli import main\nsys.exit(main())\n"
    python = f"{installation.root_prefix}/bin/python"
    command = (python, "-c", script, *arguments)
    return installation.run(*command, check=check, env=env, fresh=False)


def in_one_process(installation, *sequences, before="", faults=False, env=None):
    """Run several commands in one process; return what became of each.

    Args:
        installation: Where.
        *sequences: Commands; of each the arguments, and at the end perhaps variables for it.
        before: Code that is run before.
        faults: Run each sequence again and again, each time with a function of ours that fails, and
            return what became of each command then, all times.
        env: Variables for all.

    """
    question, answer = (f"{installation.directory}/tmp/{name}" for name in ("question", "answer"))
    with open(question, "w", encoding="utf-8") as file:
        json.dump([sequences, before, faults, installation.envs_dir], file)
    python = f"{installation.root_prefix}/bin/python"
    installation.run(python, "-c", _SERVING, TOP, question, answer, env=env, fresh=False)
    with open(answer, encoding="utf-8") as file:
        return json.load(file)


def main(question, answer):
    """Do what `in_one_process` asks."""
    with open(question, encoding="utf-8") as file:
        sequences, before, faults, envs_dir = json.load(file)
    exec(before, {"os": os, "sys": sys})  # what a test has written
    run = functools.partial(_run, envs_dir)
    if faults:
        done = _with_faults(sequences, run)
    else:
        done = [run(command) for sequence in sequences for command in sequence]
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(done, file)


def _run(envs_dir, command):
    from conda.cli import main as conda  # noqa: PLC0415  # after what makes functions fail

    *arguments, last = command
    variables = last if isinstance(last, dict) else {}
    arguments += [] if isinstance(last, dict) else [last]
    stdout, stderr = io.StringIO(), io.StringIO()
    os.environ.update(variables)
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            code = conda(*arguments)
    except BaseException as error:  # noqa: BLE001  # Ctrl-C that is made up among them
        code = repr(error)
    for name in variables:
        del os.environ[name]
    return {
        "code": code or 0,
        "stdout": stdout.getvalue(),
        "stderr": stderr.getvalue(),
        "tree": tree_of(envs_dir),
    }


def tree_of(top):
    """Everything below a folder, but for what is never the same twice, as one may write in JSON."""
    found = {}
    for folder, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            content = None
            if stat.S_ISLNK(status.st_mode):
                content = os.readlink(path)
            elif stat.S_ISREG(status.st_mode) and name != "created_at":
                with open(path, "rb") as file:
                    content = _digest(file.read(), is_history=name == "history")
            links = 0 if stat.S_ISDIR(status.st_mode) else status.st_nlink
            found[os.path.relpath(path, top)] = [status.st_mode, links, content]
    return found


def _digest(content, *, is_history):
    if is_history:  # in which are moments, and lists in no order
        lines = _MOMENT.sub(b"", content).splitlines()
        content = b"\n".join(bytes(sorted(line)) for line in lines)
    return hashlib.sha256(content).hexdigest()


# ---------------------------------------------------------------------------- faults


class Faults:
    """Has one call of one function fail; every function of ours begins with a call of this."""

    def __init__(self):
        self.calls = {}
        self.armed = None

    def begin(self, armed=None):
        self.calls = {}
        self.armed = armed

    def __call__(self, name):
        call = self.calls[name] = self.calls.get(name, 0) + 1
        if self.armed is not None and self.armed[:2] == (name, call):
            raise self.armed[2]("made up")


class _Marking(ast.NodeTransformer):
    """Has every function begin with a call of `Faults`."""

    def __init__(self, module):
        self._above = [module]
        self.names = set()

    def visit_ClassDef(self, node):
        return self._within(node)

    def visit_FunctionDef(self, node):
        name = ".".join([*self._above, node.name])
        self.names.add(name)
        call = ast.parse(f"__fault__({name!r})").body[0]
        self._within(node)
        node.body.insert(1 if ast.get_docstring(node) else 0, call)
        return node

    def _within(self, node):
        self._above.append(node.name)
        self.generic_visit(node)
        self._above.pop()
        return node


def functions():
    """Every function that may be made to fail, by the name it has there."""
    found = set()
    for module in FAULTY:
        path = f"{TOP}/{_PACKAGE}/{module.replace('.', '/')}.py"
        with open(path, encoding="utf-8") as file:
            marking = _Marking(module)
            marking.visit(ast.parse(file.read()))
        found |= marking.names
    return found


class _Loader(importlib.machinery.SourceFileLoader):
    def get_code(self, fullname):
        path = self.get_filename(fullname)
        marking = _Marking(fullname.removeprefix(f"{_PACKAGE}."))
        tree = ast.fix_missing_locations(marking.visit(ast.parse(self.get_data(path))))
        return compile(tree, path, "exec", dont_inherit=True)


class _Finder:
    @staticmethod
    def find_spec(name, path, target=None):
        if name.removeprefix(f"{_PACKAGE}.") not in FAULTY:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        spec.loader = _Loader(name, spec.origin)
        return spec


def _with_faults(sequences, run):
    """Run the sequences over and over, each time a call fails; return all runs, by command."""
    sys.meta_path.insert(0, _Finder)
    faults = builtins.__fault__ = Faults()
    done, known = [], set()
    for sequence in sequences:
        calls = []
        for command in [*sequence, *sequence]:  # from the second time on all is in the cache
            faults.begin()
            run(command)
            calls.append(faults.calls)
        waiting = _all_faults(calls[len(sequence) :], known)
        known.update(*calls)
        found = [[] for _ in sequence]
        for armed in itertools.zip_longest(*waiting):
            for command, fault, runs in zip(sequence, armed, found, strict=True):
                faults.begin(fault)
                result = run(command)
                if fault is not None:
                    runs.append({"fault": [*fault[:2], fault[2].__name__], **result})
        done += found
    return done


def _all_faults(calls, known):
    """Every call of each new function in each command, the first in all ways over the commands."""
    found = [[] for _ in calls]
    callers = {
        name: [index for index, counted in enumerate(calls) if name in counted]
        for name in set().union(*calls) - known
    }
    for name in sorted(callers, key=lambda name: (len(callers[name]), name)):
        # All commands are run as often as the one with the most faults: it gets the fewest more.
        indexes = sorted(callers[name], key=lambda index: len(found[index]))
        for place, index in enumerate(indexes):
            found[index] += [(name, 1, error) for error in _EXCEPTIONS[place :: len(indexes)]]
            last = calls[index][name]
            again = sorted({*range(2, min(last, _CALLS) + 1), last} - {1})  # some are for each file
            found[index] += [(name, call, _EXCEPTIONS[call % 4]) for call in again]
    return found
