"""Makes the conda that conda-lock carries importable as ``conda``.

``bundled.py`` copies this file beside conda-lock, where a ``.pth`` file has it
imported on each start of the interpreter. So it imports nothing but ``sys``
until somebody asks for conda, and does nothing where there is another conda.

One conda, two names: its modules are loaded as ``conda.*``, and
``conda_lock._vendor.conda.*``, which its own files use here and there, are the
same module objects. ``conda_lock`` itself is an empty package: running its
``__init__`` would need all that conda-lock needs.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

# ``conda_lock.vendor`` is what conda-lock's vendoring made of some names that
# conda.testing patches.
ALIASES = ("conda_lock._vendor.conda", "conda_lock.vendor.conda")
# conda-lock registers ``conda_lock.plugin`` as a plugin of conda.
EMPTY = ("conda_lock", "conda_lock._vendor", "conda_lock.vendor", "conda_lock.plugin")


class EmptyLoader:
    """Loads a module with nothing in it."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:  # noqa: ARG002
        """Leave making the module to the import system."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing."""


class AliasLoader:
    """Loads a module under a second name."""

    def __init__(self, real_name: str) -> None:
        """Remember the name under which the module is really imported."""
        self.real_name = real_name
        self.real_spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:  # noqa: ARG002
        """Return the module itself, importing it first where need be."""
        from importlib import import_module  # noqa: PLC0415 - not at start-up

        module = import_module(self.real_name)
        self.real_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Give the module its own spec back: the import system has just put the alias's there."""
        module.__spec__ = self.real_spec


class BundledCondaFinder:
    """Finds ``conda`` and ``conda_lock`` when the interpreter has no conda of its own."""

    def __init__(self, conda_directory: str) -> None:
        """Serve the conda package found in ``conda_directory``."""
        self.conda_directory = conda_directory
        self._wanted: bool | None = None

    @property
    def wanted(self) -> bool:
        """Whether the other finders know no conda; asked once, at the first import that matters."""
        if self._wanted is None:
            self._wanted = not other_conda_origin()
        return self._wanted

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        """Answer for conda and the aliases, and for nothing else."""
        if fullname != "conda" and fullname.partition(".")[0] != "conda_lock":
            return None
        if not self.wanted:
            return None
        from importlib.machinery import ModuleSpec  # noqa: PLC0415 - not at start-up
        from importlib.util import spec_from_file_location  # noqa: PLC0415 - not at start-up

        if fullname == "conda":
            return spec_from_file_location(
                fullname,
                f"{self.conda_directory}/__init__.py",
                submodule_search_locations=[self.conda_directory],
            )
        for alias in ALIASES:
            if fullname == alias or fullname.startswith(f"{alias}."):
                return ModuleSpec(fullname, AliasLoader("conda" + fullname[len(alias) :]))
        if fullname in EMPTY:
            return ModuleSpec(fullname, EmptyLoader(), is_package=fullname != "conda_lock.plugin")
        return None


def other_conda_origin() -> str | None:
    """Where a conda that is not the bundled one would be imported from; None without one.

    A folder that happens to be called ``conda`` (a namespace package, to the
    import system) is no conda: it has no origin.
    """
    for finder in sys.meta_path:
        if type(finder).__name__ == BundledCondaFinder.__name__:
            continue
        spec = finder.find_spec("conda", None)
        if spec is not None and spec.origin is not None:
            return spec.origin
    return None


def install() -> None:
    """Put the finder before the others, once."""
    if any(type(finder).__name__ == BundledCondaFinder.__name__ for finder in sys.meta_path):
        return
    here = __file__.rpartition("/")[0]
    sys.meta_path.insert(0, BundledCondaFinder(f"{here}/conda_lock/_vendor/conda"))
