"""What a benchmark ran on, without a name or a path of the place it ran at."""

import os
import platform
import sysconfig
from collections.abc import Mapping


def describe_machine(directory: str, versions: Mapping[str, str]) -> str:
    """The processor, memory, kernel and filesystem, and the versions of the programs."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:
        cores = os.cpu_count() or 1
    lines = [
        f"machine     {_processor()}, {cores} cores, {memory:.0f} GiB, {platform.machine()}",
        f"kernel      {platform.system()} {platform.release()}",
        f"filesystem  {_filesystem(directory)}",
        f"interpreter {platform.python_implementation()} {platform.python_version()}, {_build()}",
    ]
    lines += [f"{name:<11} {version}" for name, version in versions.items()]
    return "\n".join(lines)


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or "unknown processor"


def _build() -> str:
    """How the interpreter was compiled, as far as it tells: its speed hangs on it."""
    asked = "--enable-optimizations" in str(sysconfig.get_config_var("CONFIG_ARGS"))
    shared = bool(sysconfig.get_config_var("Py_ENABLE_SHARED"))
    return (
        f"{platform.python_compiler()}, "
        f"--enable-optimizations {'asked for' if asked else 'not on record'}, "
        f"{'with' if shared else 'without'} --enable-shared"
    )


def _filesystem(directory: str) -> str:
    """The type of the filesystem that holds the directory."""
    status = os.stat(directory)
    device = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as lines:
            for line in lines:
                mount, _, source = line.partition(" - ")
                if mount.split()[2] == device:
                    return source.split()[0]
    except OSError:
        pass
    return "unknown"
