"""Plans of made-up conda packages: names, shapes, sizes and records, nothing written.

A plan says for every file of an extracted package where it lies in the cache, where conda
would put it in an environment, and how it gets there (hard link, rewritten copy).
"""

import functools
import hashlib
import json
import posixpath
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

CHANNEL = "https://conda.example.org/made-up"
SITE_PACKAGES = "lib/python3.11/site-packages"
PLACEHOLDER = "/opt/placeholder_" + "placehold_" * 12

_SYLLABLES = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
_WORDS = ("core", "util", "io", "model", "data", "base", "api", "parse", "cache", "graph", "plot")


@dataclass(frozen=True, slots=True)
class File:
    """One entry of an extracted package."""

    cache_path: str  # relative to the extracted package
    prefix_path: str  # relative to an environment
    size: int
    target: str = ""  # of a symbolic link, which conda copies
    text: str = ""  # the content, where a reader may look at it
    rewritten: bool = False  # holds the prefix: a private copy in each environment
    same_inode_as: str = ""  # cache path of the file it is hard-linked to in the package


@dataclass(frozen=True, slots=True)
class Package:
    """One extracted package: its payload, and what conda adds to it in an environment."""

    name: str
    version: str
    build: str
    noarch: bool
    files: tuple[File, ...]
    info: tuple[tuple[str, str], ...]  # path and text of the files below info/
    entry_points: tuple[str, ...] = ()
    compiled: tuple[str, ...] = ()  # private .pyc files in each environment

    @property
    def dist(self) -> str:
        """The directory's name: NAME-VERSION-BUILD."""
        return f"{self.name}-{self.version}-{self.build}"

    @property
    def entries(self) -> int:
        """Entries in the cache that are not directories."""
        return len(self.files) + len(self.info)

    def prefix_entries(self) -> int:
        """Paths it adds to an environment: files, directories and its record."""
        paths = [item.prefix_path for item in self.files]
        paths += [*self.entry_points, *self.compiled]
        return len(paths) + len(parents(paths)) + 1


def parents(paths: Iterable[str]) -> list[str]:
    """Every directory above the paths, outermost first."""
    found: set[str] = set()
    for path in paths:
        above = posixpath.dirname(path)
        while above and above not in found:
            found.add(above)
            above = posixpath.dirname(above)
    return sorted(found)


def small_size(rng: random.Random) -> int:
    """A file's apparent size: mostly below 20 KB, some empty, one in a hundred big."""
    draw = rng.random()
    if draw < 0.04:
        return 0
    if draw > 0.99:
        return int(rng.lognormvariate(13.0, 1.2))
    return min(int(rng.lognormvariate(7.8, 1.2)) + 1, 20_000)


def plan_packages(rng: random.Random, cache_files: int) -> list[Package]:
    """Plan packages that together have about `cache_files` entries in the cache."""
    biggest = max(20, cache_files // 14)
    packages = [_plan(rng, "python", min(2500, biggest), "compiled")]
    planned, names = packages[0].entries, {"python"}
    while planned < cache_files:
        name = _name(rng, names)
        # Many small packages, a few with thousands of files.
        count = min(int(rng.lognormvariate(4.2, 1.5)) + 2, biggest)
        count = max(2, min(count, cache_files - planned - 7))
        kind = rng.choices(("noarch", "compiled", "library", "data"), (26, 37, 33, 4))[0]
        package = _plan(rng, name, count, kind)
        packages.append(package)
        planned += package.entries
    return packages


def record_text(package: Package, pkgs: str) -> str:
    """The package's record as conda writes it into an environment's conda-meta."""
    source = f"{pkgs}/{package.dist}"
    paths = [_path_record(package, item) for item in package.files]
    for item, path in zip(package.files, paths, strict=True):
        path["_path"] = item.prefix_path
        path["sha256_in_prefix"] = _digest(path["sha256"] if item.rewritten else item.cache_path)
    paths += [{"_path": path, "path_type": "pyc_file"} for path in package.compiled]
    paths += [
        {"_path": path, "path_type": "unix_python_entry_point"} for path in package.entry_points
    ]
    record = repodata_record(package) | {
        "extracted_package_dir": source,
        "files": [path["_path"] for path in paths],
        "link": {"source": source, "type": 1},
        "package_tarball_full_path": f"{source}.conda",
        "paths_data": {"paths": paths, "paths_version": 1},
        "requested_spec": package.name if package.entry_points else "",
    }
    return json.dumps(record, indent=2, sort_keys=True) + "\n"


def repodata_record(package: Package) -> dict[str, object]:
    """What the channel says about the package."""
    fn = f"{package.dist}.conda"
    subdir = "noarch" if package.noarch else "linux-64"
    return _index(package.name, package.version, package.build, noarch=package.noarch) | {
        "channel": CHANNEL,
        "fn": fn,
        "md5": _digest(fn)[:32],
        "sha256": _digest(fn),
        "size": 4096 + 700 * len(package.files),
        "url": f"{CHANNEL}/{subdir}/{fn}",
    }


def dist_info(name: str, version: str, paths: Sequence[str], *, installer: str) -> dict[str, str]:
    """The texts of a .dist-info directory that package managers read."""
    texts = {}
    for path in paths:
        above, base = posixpath.split(path)
        if not above.endswith(".dist-info"):
            continue
        if base == "METADATA":
            texts[path] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        elif base == "WHEEL":
            texts[path] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        elif base == "INSTALLER":
            texts[path] = f"{installer}\n"
        elif base == "RECORD":
            site = posixpath.dirname(above)
            texts[path] = "".join(f"{posixpath.relpath(item, site)},,\n" for item in paths)
    return texts


def _name(rng: random.Random, taken: set[str]) -> str:
    while True:
        name = "".join(rng.choices(_SYLLABLES, k=rng.randint(2, 4)))
        if rng.random() < 0.2:
            name = f"{name}-{rng.choice(_WORDS)}"
        if name not in taken:
            taken.add(name)
            return name


def _plan(rng: random.Random, name: str, count: int, kind: str) -> Package:
    """Plan one package with about `count` files of its own."""
    version = f"{rng.randint(0, 9)}.{rng.randint(0, 30)}.{rng.randint(0, 9)}"
    noarch = kind == "noarch"
    build = "pyhd8ed1ab_0" if noarch else f"h{rng.getrandbits(28):07x}_{rng.randint(0, 5)}"
    if kind in ("noarch", "compiled"):
        paths = _python_paths(rng, name, version, count, noarch=noarch)
    else:
        paths = _library_paths(rng, name, count, data=kind == "data")
    texts = dist_info(name, version, paths, installer="conda")
    files = [_file(rng, path, noarch=noarch, text=texts.get(path, "")) for path in paths]
    if kind == "library" and count > 5:
        files += _shared_library(rng, name)
    if kind == "library" and rng.random() < 0.08:
        first = files[0]
        files += [
            File(path, path, first.size, same_inode_as=first.cache_path)
            for path in (f"libexec/{name}/{name}-{number}" for number in range(6))
        ]
    entry_points = (f"bin/{name}",) if noarch and rng.random() < 0.4 else ()
    compiled = tuple(_pyc(item.prefix_path) for item in files if item.prefix_path.endswith(".py"))
    package = Package(
        name, version, build, noarch, tuple(files), (), entry_points, compiled if noarch else ()
    )
    return replace(package, info=_info(package))


def _directories(rng: random.Random, top: str, count: int) -> list[str]:
    """A tree of packages and modules below `top`, at most five deep."""
    found = [top]
    while len(found) < count:
        above = rng.choice(found)
        if above.count("/") - top.count("/") < 4:
            found.append(f"{above}/{rng.choice(_WORDS)}{len(found)}")
    return found


def _python_paths(
    rng: random.Random, name: str, version: str, count: int, *, noarch: bool
) -> list[str]:
    site = "site-packages" if noarch else SITE_PACKAGES
    module = name.replace("-", "_")
    metadata = f"{site}/{module}-{version}.dist-info"
    paths = [f"{metadata}/{item}" for item in ("METADATA", "RECORD", "WHEEL", "INSTALLER")]
    if not noarch:
        paths.append(f"bin/{name}")
    # A compiled package brings its .pyc files; they count among its files.
    left = max(1, count - len(paths))
    per_directory = 13 if noarch else 9
    directories = _directories(rng, f"{site}/{module}", max(1, left // per_directory))
    for number in range(left):
        where = directories[number % len(directories)]
        if number < len(directories):
            paths.append(f"{where}/__init__.py")
        elif rng.random() < 0.83:
            paths.append(f"{where}/{rng.choice(_WORDS)}_{number}.py")
        else:
            suffix = rng.choice((".so", ".json", ".pyi", ".txt", ".h"))
            paths.append(f"{where}/{rng.choice(_WORDS)}_{number}{suffix}")
    if not noarch:
        sources = [path for path in paths if path.endswith(".py")]
        paths = paths[: max(5, count - len(sources) * 45 // 100)]
        sources = [path for path in paths if path.endswith(".py")]
        paths += [_pyc(path) for path in sources[: max(0, count - len(paths))]]
    return paths


def _library_paths(rng: random.Random, name: str, count: int, *, data: bool) -> list[str]:
    tops = ("share",) if data else ("include", "share", "lib/cmake", "share/doc")
    paths = [f"bin/{name}"]
    for part, top in enumerate(tops):
        left = max(0, count - 1) // len(tops) + (part < max(0, count - 1) % len(tops))
        directories = _directories(rng, f"{top}/{name}", max(1, left // 14))
        for number in range(left):
            suffix = rng.choice((".h", ".hpp")) if top == "include" else rng.choice((".txt", ".3"))
            paths.append(f"{rng.choice(directories)}/{rng.choice(_WORDS)}_{number}{suffix}")
    return paths


def _shared_library(rng: random.Random, name: str) -> list[File]:
    real = f"lib{name}.so.{rng.randint(1, 9)}.{rng.randint(0, 9)}"
    size = int(rng.lognormvariate(13.5, 1.0))
    short = real.rsplit(".", 1)[0]
    return [
        File(f"lib/{real}", f"lib/{real}", size),
        File(f"lib/{short}", f"lib/{short}", len(real), target=real),
        File(f"lib/lib{name}.so", f"lib/lib{name}.so", len(real), target=real),
        File(f"lib/pkgconfig/{name}.pc", f"lib/pkgconfig/{name}.pc", 300, rewritten=True),
    ]


def _file(rng: random.Random, path: str, *, noarch: bool, text: str) -> File:
    prefix_path = path
    if noarch and path.startswith("site-packages/"):
        prefix_path = f"lib/python3.11/{path}"
    if text:
        return File(path, prefix_path, len(text), text=text)
    linkable = path.endswith((".py", ".pyc", ".h", ".hpp"))
    rewritten = path.startswith("bin/") or rng.random() < (0.02 if linkable else 0.08)
    return File(path, prefix_path, small_size(rng) or 2 * rewritten, rewritten=rewritten)


def _pyc(path: str) -> str:
    above, base = posixpath.split(path)
    return f"{above}/__pycache__/{base[:-3]}.cpython-311.pyc"


@functools.lru_cache(maxsize=65536)
def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _path_record(package: Package, item: File) -> dict[str, str | int]:
    record: dict[str, str | int] = {
        "_path": item.cache_path,
        "path_type": "softlink" if item.target else "hardlink",
        "sha256": _digest(f"{package.dist}/{item.cache_path}"),
        "size_in_bytes": item.size,
    }
    if item.rewritten:
        record |= {"file_mode": "text", "prefix_placeholder": PLACEHOLDER}
    return record


def _index(name: str, version: str, build: str, *, noarch: bool) -> dict[str, object]:
    index: dict[str, object] = {
        "arch": None if noarch else "x86_64",
        "build": build,
        "build_number": int(build.rsplit("_", 1)[1]),
        "depends": [] if name == "python" else ["python >=3.11"],
        "license": "BSD-3-Clause",
        "name": name,
        "platform": None if noarch else "linux",
        "subdir": "noarch" if noarch else "linux-64",
        "timestamp": 1_700_000_000_000,
        "version": version,
    }
    return index | ({"noarch": "python"} if noarch else {})


def _info(package: Package) -> tuple[tuple[str, str], ...]:
    index = _index(package.name, package.version, package.build, noarch=package.noarch)
    paths = [_path_record(package, item) for item in package.files]
    texts: dict[str, object] = {
        "info/index.json": index,
        "info/paths.json": {"paths": paths, "paths_version": 1},
        "info/repodata_record.json": repodata_record(package),
        "info/about.json": {"license": "BSD-3-Clause", "summary": f"{package.name}, made up"},
    }
    if package.noarch:
        names = [path.removeprefix("bin/") for path in package.entry_points]
        points = [f"{name} = {name.replace('-', '_')}:main" for name in names]
        texts["info/link.json"] = {
            "noarch": {"entry_points": points, "type": "python"},
            "package_metadata_version": 1,
        }
    info = [(path, json.dumps(text, indent=2, sort_keys=True)) for path, text in texts.items()]
    listed = "".join(f"{item.cache_path}\n" for item in package.files)
    info += [("info/files", listed), ("info/licenses/LICENSE", "made up\n")]
    return tuple(info)
