"""What a report is written as: for people, for programs, for other tools."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING, Any

from ..exceptions import HardlinksError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..api import Analysis, Report

FORMATS = ("table", "json", "csv", "markdown", "ncdu", "prometheus")
_PARTS = {  # what there is to ask for beyond the tables, as it is named in the options
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
    """Takes a format; JSON is also what conda is then to say errors in."""

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
        elif getattr(namespace, self.dest) == "json":  # it was given twice: the last one counts
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
        raise HardlinksError(f"--json and --format {name} contradict each other: give one of them.")
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
                f"--format {name} has no place for {options}: leave that out, or choose --format"
                " json."
            )
    if name == "csv" and args.packages and args.why:
        raise HardlinksError(
            "--format csv is one table: give --packages for one of packages, or --why for one of"
            " environments."
        )
    if name == "prometheus":
        _check_client()
    return name


def render(name: str, report: Report, analysis: Analysis, *, sort: str, verbose: bool) -> str:
    """Return a report in a format other than a table for a terminal.

    Args:
        name: One of `FORMATS`.
        report: The report.
        analysis: What it was made from.
        sort: The column by which environments are sorted, where the format has an order.
        verbose: More figures, where it has room for them.

    """
    from .. import __version__

    if name == "json":
        from ..render.json import render_json

        return render_json(report)
    from ..render.table import SORT_KEYS, print_report

    environments = sorted(report.environments, key=SORT_KEYS[sort])
    match name:
        case "csv":
            from ..render.csv import render_csv

            return render_csv(report, environments)
        case "markdown":
            from ..render.markdown import MarkdownPage

            page = MarkdownPage()
            print_report(report, page, sort=sort, quiet=True, verbose=verbose)
            return page.text
        case "ncdu":
            from ..render.ncdu import render_ncdu

            taken_s = int(time.time())
            return render_ncdu(
                analysis.inventory, analysis.names, version=__version__, taken_s=taken_s
            )
        case "prometheus":
            from ..render.prometheus import render_prometheus

            return render_prometheus(report, version=__version__, taken_s=time.time())
        case _:
            from io import StringIO

            from ..render.terminal import Terminal

            text = StringIO()
            print_report(report, Terminal(text), sort=sort, quiet=True, verbose=verbose)
            return text.getvalue()


def _check_client() -> None:
    """See that there is what makes metrics, before anything is looked at for them."""
    try:
        import prometheus_client  # noqa: F401
    except ImportError as error:
        raise HardlinksError(
            "--format prometheus needs the package prometheus_client, which is not installed beside"
            " conda: conda install --name base prometheus_client"
        ) from error
