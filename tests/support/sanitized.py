"""Runs tests of the native reader with the sanitizers of the C compiler: memory, then threads.

    python -m tests.support.sanitized [address | thread] [ARGUMENT OF PYTEST ...]

The package and the tests are copied to a temporary folder, with a module that is built there.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from tests.support.repository import TOP

FLAGS = ["-std=c11", "-g", "-O1", "-fno-omit-frame-pointer", "-fPIC", "-shared", "-pthread"]
MACROS = ["-D_GNU_SOURCE", "-DPy_LIMITED_API=0x030A0000", "-D_FILE_OFFSET_BITS=64"]
SANITIZERS = {  # runtime, flags, and which tests it makes fail
    "address": (
        "libasan.so",
        ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"],
        "nothing_more",
    ),
    "thread": ("libtsan.so", ["-fsanitize=thread"], "fstat"),  # which it calls past our library
}
OPTIONS = {
    "PYTHONMALLOC": "malloc",
    "ASAN_OPTIONS": "detect_leaks=0:exitcode=66",  # the interpreter frees little at its end
    "UBSAN_OPTIONS": "print_stacktrace=1",
    "TSAN_OPTIONS": "exitcode=66:halt_on_error=1:die_after_fork=0:report_signal_unsafe=0"
    ":allocator_may_return_null=1",
    "FUZZ_EXAMPLES": os.environ.get("FUZZ_EXAMPLES", "2000"),
}
TESTS = [
    "tests/unit/filesystem/test_native.py",
    "tests/unit/filesystem/test_native_arguments.py",
    "tests/unit/filesystem/test_path_facts.py",
    "tests/unit/metadata/test_cached_package.py",
    "tests/unit/scan",
    "tests/property/test_scan_modes.py",
    "tests/property/test_scan_changes.py",
    "tests/property/test_index.py",
]
# What a sanitizer takes in memory, descriptors and time makes these fail.
NOT_MEASURED = (
    "memory or few_bytes or soon_after or never_returns or survey or few_threads or at_once"
    " or with_threads"
)


def main(arguments: list[str]) -> int:
    """Run the tests with each sanitizer; return the number of those with which one fails."""
    names = [arguments.pop(0)] if arguments and arguments[0] in SANITIZERS else list(SANITIZERS)
    return sum(run(*SANITIZERS[name], arguments) != 0 for name in names)


def run(library: str, sanitize: list[str], failing: str, arguments: list[str]) -> int:
    """Run the tests with one sanitizer."""
    compiler = os.environ.get("CC", "gcc")
    runtime = subprocess.check_output([compiler, f"-print-file-name={library}"], text=True).strip()
    with tempfile.TemporaryDirectory(prefix="sanitized-") as top:
        os.chmod(top, 0o755)  # some tests scan as another user
        for name in ("conda_hardlink_plugin", "tests", "benchmarks"):
            ignored = shutil.ignore_patterns("*.so", "__pycache__")
            shutil.copytree(f"{TOP}/{name}", f"{top}/{name}", ignore=ignored)
        for name in ("pyproject.toml", "README.md"):
            shutil.copy(f"{TOP}/{name}", top)
        folder = Path(top, "conda_hardlink_plugin", "filesystem")
        sources = [folder / "_native.c", *sorted(folder.glob("native/*.c"))]
        include = f"-I{sysconfig.get_paths()['include']}"
        flags = [*FLAGS, *sanitize, *MACROS, include]
        module = folder / "_native.abi3.so"
        subprocess.run([compiler, *flags, "-o", str(module), *map(str, sources)], check=True)
        # The runtimes map memory at fixed addresses.
        fixed = ["setarch", "-R"] if shutil.which("setarch") else []
        pytest = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-s"]
        chosen = ["-k", f"not ({NOT_MEASURED} or {failing})", *(arguments or TESTS)]
        sys.stderr.write(" ".join([library, *sanitize, "\n"]))
        environment = os.environ | OPTIONS | {"LD_PRELOAD": runtime}
        return subprocess.run(
            [*fixed, *pytest, *chosen], cwd=top, env=environment, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
