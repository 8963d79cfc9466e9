"""Real ``.conda`` packages with made-up content, in a local channel.

A package is declared as a ``PackageSpec``; ``write_channel`` builds the archives
and indexes them, so that any conda can install them from ``file://...``.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import random
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.request import pathname2url

from conda_package_handling import api as archives

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# What stands in a package for the prefix of the environment it will be
# installed in. As long as real ones, which have room for a long prefix.
PLACEHOLDER = "/opt/anaconda1anaconda2anaconda3/" + "_placehold" * 22

# One compression setting that each conda-package-handling since 2.0 understands.
# The content is mostly random: a higher level would only take longer.
_COMPRESSION = (".tar.zst", "zstd", "zstd:compression-level=1")
_TIMESTAMP = 1_540_000_000_000


@dataclass(frozen=True, slots=True)
class PackageSpec:
    """One package to build.

    Paths are relative to the environment, and for ``noarch="python"`` begin
    with ``site-packages/`` or ``python-scripts/``.

    Attributes:
        name: The package's name.
        version: Its version.
        build: Its build string.
        build_number: Its build number.
        noarch: ``"python"``, ``"generic"``, or None for a package of this platform.
        depends: What it depends on, as conda writes it: ``"numpy >=1.15"``.
        files: Path to content: text, bytes, or a number of bytes to make up.
        placeholder_files: Path to text in which ``PLACEHOLDER`` stands for the
            prefix; conda writes these anew in each environment.
        symlinks: Path to what the symbolic link says.
        hard_links: Path to the path of the file in this package that it is
            another name of.
        entry_points: ``"command = module:function"``, for ``noarch="python"``.
        run_exports: What a package built with this one in its host environment depends on.
    """

    name: str
    version: str = "1.0"
    build: str = "0"
    build_number: int = 0
    noarch: Literal["python", "generic"] | None = None
    depends: tuple[str, ...] = ()
    files: Mapping[str, str | bytes | int] = field(default_factory=dict)
    placeholder_files: Mapping[str, str] = field(default_factory=dict)
    symlinks: Mapping[str, str] = field(default_factory=dict)
    hard_links: Mapping[str, str] = field(default_factory=dict)
    entry_points: tuple[str, ...] = ()
    run_exports: tuple[str, ...] = ()

    @property
    def dist(self) -> str:
        """The name of its extracted folder: ``name-version-build``."""
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def subdir(self) -> str:
        """The channel's folder it belongs in."""
        return "noarch" if self.noarch else native_subdir()

    @property
    def paths(self) -> list[str]:
        """All its paths, sorted."""
        return sorted([*self.files, *self.placeholder_files, *self.symlinks, *self.hard_links])


def native_subdir() -> str:
    """Conda's name of this platform: ``linux-64``."""
    machine = platform.machine().lower()
    bits = {"x86_64": "64", "amd64": "64", "arm64": "arm64", "aarch64": "aarch64"}
    system = {"linux": "linux", "darwin": "osx", "win32": "win"}
    return f"{system[sys.platform]}-{bits.get(machine, machine)}"


def channel_url(directory: str) -> str:
    """The URL by which conda knows a channel in a local directory."""
    return "file://" + pathname2url(os.path.abspath(directory))


def write_channel(directory: str, specs: Iterable[PackageSpec]) -> str:
    """Build packages into the channel in ``directory`` and index it.

    A channel that exists already is added to.

    Args:
        directory: The channel; made if it is missing.
        specs: The packages.

    Returns:
        The channel's URL.

    Raises:
        RuntimeError: The channel could not be indexed.
    """
    for subdir in ("noarch", native_subdir()):
        os.makedirs(os.path.join(directory, subdir), exist_ok=True)
    for spec in specs:
        write_package(os.path.join(directory, spec.subdir), spec)
    _index(directory)
    return channel_url(directory)


def write_package(directory: str, spec: PackageSpec) -> str:
    """Build one package into ``directory`` and return the path of its archive."""
    archive = os.path.join(os.path.abspath(directory), f"{spec.dist}.conda")
    with tempfile.TemporaryDirectory(prefix="realconda-") as tree:
        _write_payload(tree, spec)
        info = _info(tree, spec)
        for path, text in info.items():
            _write(tree, path, text.encode())
        archives.create(tree, [*info, *spec.paths], archive, compression_tuple=_COMPRESSION)
    return archive


def made_up(path: str, size: int, seed: str) -> bytes:
    """Content of ``size`` bytes, always the same for the same path and seed.

    Python files are valid modules (and may come out a little longer); anything
    else is random bytes.
    """
    source = random.Random(f"{seed}/{path}")
    if not path.endswith(".py"):
        return source.randbytes(size)
    lines = [f'"""Made-up module {os.path.basename(path)}."""\n'] if size else []
    length = sum(map(len, lines))
    while length < size:
        # Mostly comments, or the bytecode would outgrow the source.
        comments = "".join(f"    # {source.randbytes(32).hex()}\n" for _ in range(8))
        line = f"\n\ndef f_{len(lines)}(x=None):\n{comments}    return x or {source.random()}\n"
        lines.append(line)
        length += len(line)
    return "".join(lines).encode()


def _write_payload(tree: str, spec: PackageSpec) -> None:
    for path, content in spec.files.items():
        if isinstance(content, int):
            _write(tree, path, made_up(path, content, spec.dist))
        else:
            _write(tree, path, content.encode() if isinstance(content, str) else content)
    for path, text in spec.placeholder_files.items():
        if PLACEHOLDER not in text:
            raise ValueError(f"{spec.dist}: {path} has no placeholder in it")
        _write(tree, path, text.encode())
    for path, target in spec.symlinks.items():
        os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
        os.symlink(target, os.path.join(tree, path))
    for path, target in spec.hard_links.items():
        os.makedirs(os.path.dirname(os.path.join(tree, path)), exist_ok=True)
        os.link(os.path.join(tree, target), os.path.join(tree, path))


def _write(tree: str, path: str, content: bytes) -> None:
    full_path = os.path.join(tree, path)
    os.makedirs(os.path.dirname(full_path), exist_ok=True)
    with open(full_path, "xb") as file:
        file.write(content)
    executable = path.startswith(("bin/", "libexec/", "python-scripts/"))
    os.chmod(full_path, 0o755 if executable else 0o644)


def _info(tree: str, spec: PackageSpec) -> dict[str, str]:
    """The package's own records: path to text."""
    system, _, architecture = native_subdir().partition("-")
    index: dict[str, object] = {
        "arch": None if spec.noarch else architecture.replace("64", "x86_64", 1),
        "build": spec.build,
        "build_number": spec.build_number,
        "depends": list(spec.depends),
        "license": "made up",
        "name": spec.name,
        "platform": None if spec.noarch else system,
        "subdir": spec.subdir,
        "timestamp": _TIMESTAMP,
        "version": spec.version,
    }
    if spec.noarch:
        index["noarch"] = spec.noarch
    info: dict[str, object] = {
        "info/about.json": {"license": "made up", "summary": f"Made-up {spec.name}"},
        "info/index.json": index,
        "info/paths.json": {
            "paths": [_path_record(tree, spec, path) for path in spec.paths],
            "paths_version": 1,
        },
    }
    if spec.noarch == "python":
        info["info/link.json"] = {
            "noarch": {"entry_points": list(spec.entry_points), "type": "python"},
            "package_metadata_version": 1,
        }
    if spec.run_exports:
        info["info/run_exports.json"] = {"weak": list(spec.run_exports)}
    texts = {path: json.dumps(content, indent=2, sort_keys=True) for path, content in info.items()}
    texts["info/files"] = "".join(f"{path}\n" for path in spec.paths)
    return texts


def _path_record(tree: str, spec: PackageSpec, path: str) -> dict[str, object]:
    full_path = os.path.join(tree, path)
    content = b""
    # A link out of the package has no content of the package's.
    own = path not in spec.symlinks or not os.path.isabs(spec.symlinks[path])
    if own and os.path.isfile(full_path):
        with open(full_path, "rb") as file:
            content = file.read()
    record: dict[str, object] = {
        "_path": path,
        "path_type": "softlink" if path in spec.symlinks else "hardlink",
        "sha256": hashlib.sha256(content).hexdigest(),
        "size_in_bytes": len(content),
    }
    if path in spec.placeholder_files:
        record |= {"file_mode": "text", "prefix_placeholder": PLACEHOLDER}
    return record


def _index(directory: str) -> None:
    """Index the channel in a process that sees nothing of the user's configuration."""
    with tempfile.TemporaryDirectory(prefix="realconda-") as home:
        done = subprocess.run(
            [sys.executable, "-m", "conda_index", "--threads", "1", directory],
            check=False,
            capture_output=True,
            text=True,
            cwd=home,
            env={"HOME": home, "PATH": os.defpath, "LANG": "C.UTF-8", "CONDA_SOLVER": "classic"},
        )
    if done.returncode:
        raise RuntimeError(f"conda_index failed on {directory}:\n{done.stdout}{done.stderr}")
