"""Builds the native reader on Linux, where there is a C compiler; everything else works without it.

With HARDLINKS_PURE=1, the wheel has no compiled module, and fits every platform.
"""

import os
import shutil
import sys
import sysconfig
from contextlib import suppress
from glob import glob

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext
from setuptools.errors import BaseError, CCompilerError, CompileError

FLAGS = os.environ.get("HARDLINKS_CFLAGS", "").split()
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
        *FLAGS,
    ],
    extra_link_args=["-pthread"],
    py_limited_api=True,
    optional=True,
)


class BuildNative(build_ext):
    """Compiles the module, or says in one line that the distribution lacks it."""

    command_name = "build_ext"

    def build_extension(self, ext: Extension) -> None:
        """Compile the module; without it, the distribution is a pure one."""
        try:
            super().build_extension(ext)
        except (BaseError, CCompilerError, CompileError) as error:
            if FLAGS and shutil.which(self.compiler.compiler_so[0]):  # where warnings are errors
                raise SystemExit(str(error)) from error
            self.warn(
                "conda-hardlink-plugin is built without its native reader: "
                f"{self.compiler.compiler_so[0]} cannot compile it. The plugin works, but reads "
                "disks more slowly. To compile it, install a C compiler and Python's headers."
            )
            with suppress(FileNotFoundError):  # compiled earlier, from other sources
                os.unlink(self.get_ext_fullpath(ext.name))
            self.distribution.ext_modules = []


class Wheel(bdist_wheel):
    """A wheel that fits every platform if nothing was compiled."""

    def run(self) -> None:
        """Compile before the wheel is named."""
        self.run_command("build_ext")
        self.root_is_pure = not self.distribution.has_ext_modules()
        super().run()


# The module makes system calls of Linux. A free-threaded Python has no stable ABI.
pure = (
    os.environ.get("HARDLINKS_PURE") == "1"
    or sys.platform != "linux"
    or sysconfig.get_config_var("Py_GIL_DISABLED")
)
setup(
    ext_modules=[] if pure else [native],
    cmdclass={"build_ext": BuildNative, "bdist_wheel": Wheel},
    options={} if pure else {"bdist_wheel": {"py_limited_api": "cp310"}},
)
