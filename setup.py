"""Builds the native reader where there is a C compiler; everything else works without it.

With HARDLINKS_PURE=1, the wheel has no compiled module, and fits every platform.
"""

import os
from glob import glob

from setuptools import Extension, setup

FOLDER = "conda_hardlink_plugin/filesystem"

native = Extension(
    "conda_hardlink_plugin.filesystem._native",
    sources=[f"{FOLDER}/_native.c", *sorted(glob(f"{FOLDER}/native/*.c"))],
    depends=sorted(glob(f"{FOLDER}/native/*.h")),
    define_macros=[
        ("Py_LIMITED_API", "0x030A0000"),
        ("_GNU_SOURCE", "1"),
        ("_FILE_OFFSET_BITS", "64"),
    ],
    extra_compile_args=[
        "-std=c11",
        "-pthread",
        "-g0",
        *os.environ.get("HARDLINKS_CFLAGS", "").split(),
    ],
    extra_link_args=["-pthread"],
    py_limited_api=True,
    optional=True,
)

pure = os.environ.get("HARDLINKS_PURE") == "1"
setup(
    ext_modules=[] if pure else [native],
    options={} if pure else {"bdist_wheel": {"py_limited_api": "cp310"}},
)
