"""The formats of a report: for people, for programs, for other tools."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from ..exceptions import HardlinksError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..api import Analysis, Report

FORMATS = ("table", "json", "csv", "markdown", "ncdu", "prometheus")
_PARTS = {  # what a report can contain besides its tables, with the options that ask for it
    "detail": "-n and -p",
    "packages": "--packages",
    "causes": "--why",
    "if_removed": "--if-removed",
    "du": "--du",
}
_PARTS_OF_FORMAT = {
    "csv": {"packages", "causes"},
    "ncdu": set[str](),
    "prometheus": {"causes"},
}


class FormatAction(argparse.Action):
    """Takes a format; with JSON, conda reports errors in JSON as well."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,  # noqa: ARG002  # argparse's seam
    ) -> None:
        """Note the format."""
        if values == "json":
            namespace.json = True
        elif getattr(namespace, self.dest) == "json":  # given twice: the last one counts
            namespace.json = parser.get_default("json")
        setattr(namespace, self.dest, values)


def format_of(args: argparse.Namespace, *, json: bool) -> str:
    """Return the format that was asked for, by `--format` or else by conda's `--json`.

    Args:
        args: The options.
        json: conda was asked for JSON, by an option, a variable or `.condarc`.

    Raises:
        HardlinksError: It has no place for what was asked for, `--json` contradicts it, or a
            library is missing.

    """
    name = args.format or ("json" if json else "table")
    if args.json is True and name != "json":
        raise HardlinksError(f"--json and --format {name} contradict each other: use one of them.")
    asked = {
        "detail": args.environment_name is not None or args.environment_prefix is not None,
        "packages": args.packages,
        "causes": args.why,
        "if_removed": bool(args.if_removed),
        "du": args.du_rows,
    }
    allowed = _PARTS_OF_FORMAT.get(name, set(_PARTS))
    for part, options in _PARTS.items():
        if asked[part] and part not in allowed:
            raise HardlinksError(
                f"--format {name} cannot show {options}: leave that out, or use --format json."
            )
    if name == "csv" and args.packages and args.why:
        raise HardlinksError(
            "--format csv prints one table: use --packages for packages, or --why for environments."
        )
    if name == "prometheus":
        _check_client()
    return name


def render(name: str, report: Report, analysis: Analysis, *, sort: str, verbose: bool) -> str:
    """Return a report in a format, for a pipe or a file.

    Args:
        name: One of `FORMATS`.
        report: The report.
        analysis: What it was made from.
        sort: The column by which environments are sorted, where the format has an order.
        verbose: Include more figures, where the format has room for them.

    """
    from .. import __version__

    if name == "json":
        from ..render.json import render_json

        return render_json(report)
    from ..render.table import SORT_KEYS, print_report

    match name:
        case "csv":
            from ..render.csv import render_csv

            return render_csv(report, sorted(report.environments, key=SORT_KEYS[sort]))
        case "ncdu":
            from ..render.ncdu import render_ncdu

            return render_ncdu(
                analysis.inventory, analysis.names, version=__version__, taken_s=int(time.time())
            )
        case "prometheus":
            from ..render.prometheus import render_prometheus

            return render_prometheus(report, version=__version__, taken_s=time.time())
        case "markdown":
            from ..render.markdown import MarkdownOutput

            page = MarkdownOutput()
            print_report(report, page, sort=sort, quiet=True, verbose=verbose)
            return page.text
    from io import StringIO

    from ..render.terminal import Terminal

    text = StringIO()
    print_report(report, Terminal(text), sort=sort, quiet=True, verbose=verbose)
    return text.getvalue()


def _check_client() -> None:
    """Check that the library for metrics is there, before anything is read for them."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError as error:
        raise HardlinksError(
            "--format prometheus needs the package prometheus_client, which is not installed beside"
            " conda: run conda install --name base prometheus_client"
        ) from error
