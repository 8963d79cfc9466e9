"""A few small packages that have between them each thing conda treats specially."""

from __future__ import annotations

from tests.support.realconda.interpreter import python_package
from tests.support.realconda.packages import PLACEHOLDER, PackageSpec


def samples() -> tuple[PackageSpec, ...]:
    """One package for each peculiarity; all can be installed together."""
    return (
        python_package(),
        PackageSpec(
            "entry",
            noarch="python",
            depends=("python",),
            files={
                "site-packages/entry/__init__.py": "",
                "site-packages/entry/cli.py": "def main():\n    print('entry runs')\n",
                "site-packages/entry/data.bin": 20_000,
                "site-packages/entry/module.py": 9_000,
                "site-packages/entry-1.0.dist-info/METADATA": "Name: entry\nVersion: 1.0\n",
                "site-packages/entry-1.0.dist-info/INSTALLER": "conda\n",
            },
            entry_points=("entry = entry.cli:main",),
        ),
        *(
            PackageSpec("library", version, files={"lib/liblibrary.so": 70_000, "include/l.h": 900})
            for version in ("1.0", "2.0")
        ),
        PackageSpec(
            "placeholder",
            depends=("library",),
            files={"lib/libplaceholder.so": 30_000},
            placeholder_files={
                "bin/placeholder": f'#!/bin/sh\necho "prefix={PLACEHOLDER}"\n',
                "etc/placeholder.conf": f"root = {PLACEHOLDER}/share\n" * 40,
            },
        ),
        PackageSpec(
            "all-placeholder",
            placeholder_files={
                "share/kernels/kernel.json": f'{{"argv": ["{PLACEHOLDER}/bin/x"]}}\n'
            },
        ),
        PackageSpec("metapackage", depends=("library", "placeholder")),
        PackageSpec(
            "self-linked",
            files={"bin/self": 50_000},
            hard_links={
                "libexec/self-core/self": "bin/self",
                "libexec/self-core/self-add": "bin/self",
            },
        ),
        PackageSpec(
            "symlinked",
            files={"lib/libsym.so.1.2": 25_000, "share/sym/x/entry": 10},
            symlinks={
                "lib/libsym.so.1": "libsym.so.1.2",
                "lib/libsym.so": "libsym.so.1",
                "share/sym/directory": "x",
                "share/sym/dangling": "nowhere",
            },
        ),
        PackageSpec(
            "odd-names",
            noarch="generic",
            files={
                "share/odd/empty": "",
                "share/odd/Főtanúsítvány.crt": 1_500,
                "share/odd/日本語/名前.txt": "unicode\n",
                "share/odd/with space 'and' \"quotes\"": 12,
            },
        ),
    )
