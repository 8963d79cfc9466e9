"""The packages of the demo: data-science stacks that overlap, with made-up content.

Names, versions and dependencies are those of packages of 2018, the sizes about
a hundredth of theirs.
"""

from __future__ import annotations

import random

from tests.support.realconda.interpreter import python_package
from tests.support.realconda.packages import PLACEHOLDER, PackageSpec

PYTHONS = {"36": "3.6.8", "27": "2.7.15"}


def stack() -> tuple[PackageSpec, ...]:
    """All packages of the demo's channel."""
    return (*_system(), *_pythons(), *_pure_python(), *_compiled_python(), *_r())


def _tree(directory: str, suffixes: str, count: int, kib: int) -> dict[str, int]:
    """``count`` files below a directory, ``kib`` KiB together, the suffixes in turn."""
    source = random.Random(f"{directory} {count} {kib}")
    weights = [source.paretovariate(1.2) for _ in range(count)]
    endings = suffixes.split()
    return {
        f"{directory}/part{number // 12}/f{number:03}{endings[number % len(endings)]}": int(
            kib * 1024 * weight / sum(weights)
        )
        for number, weight in enumerate(weights)
    }


def _pkg_config(name: str, version: str) -> dict[str, str]:
    return {
        f"lib/pkgconfig/{name}.pc": f"prefix={PLACEHOLDER}\nlibdir=${{prefix}}/lib\n"
        f"Name: {name}\nVersion: {version}\nLibs: -L{PLACEHOLDER}/lib -l{name}\n"
    }


def _library(name: str, version: str, kib: int, *depends: str, headers: int = 4) -> PackageSpec:
    """A shared library with its links, headers and a ``.pc`` file, which names the prefix."""
    short = name.removeprefix("lib")
    shared = f"lib/lib{short}.so.{version}"
    return PackageSpec(
        name,
        version,
        "h0_0",
        depends=depends,
        files={shared: kib * 1024, **_tree(f"include/{short}", ".h", headers, headers * 3)},
        placeholder_files=_pkg_config(short, version),
        symlinks={f"lib/lib{short}.so": f"lib{short}.so.{version}"},
    )


def _system() -> tuple[PackageSpec, ...]:
    names = ("add", "commit", "diff", "fetch", "log", "merge", "push", "status")
    certificate = "share/ca-certificates/NetLock_Arany_=Class_Gold=_Főtanúsítvány.crt"
    return (
        PackageSpec(
            "ca-certificates",
            "2018.8.24",
            "h0_0",
            files={"ssl/cacert.pem": 220_000, certificate: 1_476},
        ),
        _library("libgcc-ng", "7.3.0", 300),
        _library("libstdcxx-ng", "7.3.0", 260),
        _library("libgfortran-ng", "7.2.0", 120),
        _library("openssl", "1.0.2", 330, "ca-certificates", "libgcc-ng", headers=60),
        _library("zlib", "1.2.11", 40, "libgcc-ng"),
        _library("ncurses", "6.1", 110, "libgcc-ng", headers=12),
        _library("readline", "7.0", 90, "ncurses"),
        _library("sqlite", "3.24.0", 150, "readline"),
        _library("libpng", "1.6.34", 60, "zlib"),
        _library("hdf5", "1.10.2", 420, "libgfortran-ng", "zlib", headers=30),
        _library("openblas", "0.3.3", 2100, "libgfortran-ng"),
        _library("curl", "7.61.0", 90, "openssl", "zlib"),
        PackageSpec(
            "mkl",
            "2018.0.3",
            "1",
            depends=("libgcc-ng",),
            files={
                **{f"lib/libmkl_{part}.so": 1_300_000 for part in ("core", "avx2", "avx512", "rt")},
                **{
                    f"lib/libmkl_{part}.so": 700_000 for part in ("intel_lp64", "gnu_thread", "vml")
                },
            },
        ),
        PackageSpec("blas", "1.0", "mkl", depends=("mkl",)),
        PackageSpec(
            "git",
            "2.18.0",
            "pl526_0",
            depends=("curl", "openssl"),
            files={"bin/git": 240_000, **_tree("share/git-core", ".sample", 30, 60)},
            hard_links={f"libexec/git-core/git-{name}": "bin/git" for name in names},
        ),
        PackageSpec(
            "samtools",
            "1.9",
            "h8ee4bcc_1",
            depends=("zlib", "ncurses"),
            files={"bin/samtools": 150_000, **_tree("share/man/man1", ".1", 20, 40)},
        ),
    )


def _pythons() -> tuple[PackageSpec, ...]:
    return tuple(
        python_package(
            version,
            build="h0_0",
            depends=("openssl", "readline", "sqlite", "zlib"),
            files={
                f"lib/libpython{version[:3]}m.so.1.0": 1_400_000,
                **_tree(f"include/python{version[:3]}m", ".h", 70, 150),
                **_tree(f"lib/python{version[:3]}/lib-dynload", ".so", 50, 500),
                **_tree(f"lib/python{version[:3]}/idlelib", ".py", 50, 200),
            },
        )
        for version in PYTHONS.values()
    )


def _pure(
    name: str, version: str, count: int, kib: int, *depends: str, command: str = ""
) -> PackageSpec:
    """A ``noarch`` Python package, compiled when it is linked."""
    package = f"site-packages/{name.replace('-', '_')}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    return PackageSpec(
        name,
        version,
        "py_0",
        noarch="python",
        depends=("python", *depends),
        files={
            f"{package}/__init__.py": "",
            f"{package}/cli.py": f"def main():\n    print({name!r}, {version!r})\n",
            f"{package}/py.typed": "",
            **_tree(package, ".py .py .py .dat", count, kib),
            f"{package}-{version}.dist-info/METADATA": metadata,
            f"{package}-{version}.dist-info/INSTALLER": "conda\n",
        },
        entry_points=(f"{command} = {name.replace('-', '_')}.cli:main",) if command else (),
    )


def _pure_python() -> tuple[PackageSpec, ...]:
    zones = _tree("site-packages/pytz/zoneinfo", ".tab", 120, 260)
    first, *others = zones
    pytz = _pure("pytz", "2018.5", 4, 30)
    return (
        PackageSpec(
            "pytz",
            pytz.version,
            pytz.build,
            noarch="python",
            depends=pytz.depends,
            files={**pytz.files, first: zones[first], **{zone: zones[zone] for zone in others}},
            # Many time zones are other names of one file.
            hard_links={f"{zone}.alias": zone for zone in others[:40]},
        ),
        _pure("six", "1.11.0", 2, 30),
        _pure("setuptools", "40.2.0", 90, 500),
        _pure("wheel", "0.31.1", 16, 80, "setuptools", command="wheel"),
        _pure("python-dateutil", "2.7.3", 14, 90, "six"),
        _pure("joblib", "0.12.5", 40, 200),
        _pure("click", "6.7", 16, 110),
        _pure("pygments", "2.2.0", 90, 600, command="pygmentize"),
        _pure("ipython", "6.5.0", 80, 450, "pygments", "setuptools", command="ipython"),
        _pure("notebook", "5.6.0", 110, 900, "ipython", command="jupyter-notebook"),
        _pure("pymc3", "3.5", 60, 400, "theano", "pandas", "joblib", "h5py"),
        _pure("keras", "2.2.2", 60, 330, "tensorflow", "h5py"),
        _pure("loompy", "2.0.12", 14, 90, "h5py", "pandas"),
        PackageSpec(
            "ipykernel-kernelspec",
            "4.9.0",
            placeholder_files={
                "share/jupyter/kernels/python3/kernel.json": '{"argv": '
                f'["{PLACEHOLDER}/bin/python", "-m", "ipykernel_launcher"]}}\n'
            },
        ),
    )


def _compiled(
    name: str, version: str, count: int, kib: int, *depends: str, pythons: str = "36 27"
) -> tuple[PackageSpec, ...]:
    """A package with extension modules: one build for each Python."""
    specs = []
    for python in pythons.split():
        short = PYTHONS[python][:3]
        module = name.removesuffix(".py").replace("-", "_")
        package = f"lib/python{short}/site-packages/{module}"
        specs.append(
            PackageSpec(
                name,
                version,
                f"py{python}h0_0",
                depends=(f"python {short}.*", *depends),
                files={
                    f"{package}/__init__.py": "",
                    **_tree(package, ".so .py .py .py", count, kib),
                    f"{package}-{version}.dist-info/INSTALLER": "conda\n",
                },
            )
        )
    return tuple(specs)


def _compiled_python() -> tuple[PackageSpec, ...]:
    return (
        *_compiled("numpy", "1.15.1", 70, 500, "blas", "libgfortran-ng"),
        *_compiled("scipy", "1.1.0", 90, 1300, "numpy"),
        *_compiled("pandas", "0.23.4", 80, 1000, "numpy", "python-dateutil", "pytz"),
        *_compiled("matplotlib", "2.2.3", 80, 600, "numpy", "libpng", "python-dateutil"),
        *_compiled("h5py", "2.8.0", 30, 220, "hdf5", "numpy"),
        *_compiled("mkl-service", "1.1.2", 4, 60, "mkl"),
        *_compiled("theano", "1.0.2", 80, 500, "scipy", "mkl-service", "six"),
        *_compiled("scikit-learn", "0.19.2", 60, 500, "scipy", pythons="36"),
        *_compiled("scikit-learn", "0.20.0", 60, 520, "scipy", pythons="36"),
        *_compiled("numba", "0.39.0", 60, 550, "numpy", pythons="36"),
        *_compiled("sqlalchemy", "1.2.11", 60, 350, pythons="36"),
        *_compiled("cython", "0.28.5", 30, 300, pythons="36"),
        *_compiled("pysam", "0.15.0", 24, 450, "zlib", pythons="36"),
        *_compiled("tensorflow", "1.10.0", 110, 3200, "numpy", "six", pythons="36"),
        *_compiled("pytorch", "0.4.1", 40, 3000, "numpy", "mkl", pythons="36"),
        *_compiled(
            *("velocyto.py", "0.17.11", 24, 180, "loompy", "numba", "scikit-learn", "pysam"),
            *("click", "cython", "matplotlib"),
            pythons="36",
        ),
    )


def _r_package(name: str, version: str, count: int, kib: int, *depends: str) -> PackageSpec:
    library = f"lib/R/library/{name.removeprefix('r-')}"
    return PackageSpec(
        name,
        version,
        "r351h0_0",
        depends=("r-base 3.5.*", *depends),
        files={f"{library}/NAMESPACE": "", **_tree(library, ".rdb .rdx .rds .html", count, kib)},
    )


def _r() -> tuple[PackageSpec, ...]:
    return (
        PackageSpec("_r-mutex", "1.0.0", "anacondar_1"),
        PackageSpec(
            "r-base",
            "3.5.1",
            "h0_0",
            depends=("_r-mutex", "openblas", "readline", "libpng", "libstdcxx-ng", "curl"),
            files={
                "lib/R/lib/libR.so": 1_500_000,
                **_tree("lib/R/library/base", ".rdb .rdx .rds .html", 140, 1300),
                **_tree("lib/R/include", ".h", 40, 80),
            },
            placeholder_files={
                "bin/R": f"#!/bin/sh\nR_HOME_DIR={PLACEHOLDER}/lib/R\n" + "# made up\n" * 900,
                "lib/R/etc/Makeconf": f"CC = {PLACEHOLDER}/bin/cc\n" * 120,
                "lib/R/etc/ldpaths": f": ${{R_JAVA_LD_LIBRARY_PATH={PLACEHOLDER}/jre}}\n" * 30,
            },
            symlinks={"lib/libR.so": "R/lib/libR.so", "lib/R/share/licenses": "../library"},
        ),
        _r_package("r-rcpp", "0.12.18", 60, 350),
        _r_package("r-ggplot2", "2.2.1", 50, 420, "r-rcpp"),
        _r_package("r-dplyr", "0.7.6", 40, 330, "r-rcpp"),
        _r_package("r-reticulate", "1.9", 24, 160, "r-rcpp"),
        _r_package("r-tensorflow", "1.9", 16, 90, "r-reticulate"),
        _r_package("r-keras", "2.1.6", 30, 200, "r-tensorflow"),
        _r_package("r-stanheaders", "2.17.2", 120, 900),
        _r_package("r-bh", "1.66.0", 220, 2000),
        _r_package("r-rstan", "2.17.3", 40, 700, "r-stanheaders", "r-bh", "r-ggplot2"),
        _r_package("r-shinystan", "2.5.0", 30, 260, "r-rstan", "r-dplyr"),
    )
