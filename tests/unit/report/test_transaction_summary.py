"""The figures of transactions, before and after they are measured."""

from __future__ import annotations

from conda_hardlink_plugin.analysis.transaction_figures import (
    Budget,
    InstalledPackage,
    measure_linked,
)
from conda_hardlink_plugin.metadata.conda_meta import FileRole
from conda_hardlink_plugin.report.transaction_summary import TransactionSummary

from ...support.oracles import du
from ...support.trees import link, write


def test_figures_that_were_not_measured_are_unknown_rather_than_zero():
    summary = TransactionSummary(unlinked_packages=2, over_budget=True)
    assert summary.added_bytes is None
    assert (summary.unlinked_bytes, summary.freed_bytes, summary.left_bytes) == (None, None, None)
    assert summary.totals is None


def test_linked_packages_are_added_to_their_own_summary_only(tmp_path):
    prefix = f"{tmp_path}/env"
    shared = write(f"{tmp_path}/pkgs/p-1-0/shared", b"s" * 5000)
    link(shared, f"{prefix}/shared")
    write(f"{prefix}/copied", b"c" * 9000)
    package = InstalledPackage(
        "p-1-0",
        ("shared", "copied"),
        lambda _: FileRole.LINKABLE,
        hard_link_requested=True,
        soft_link_requested=False,
        extracted=f"{tmp_path}/pkgs/p-1-0",
    )
    linked = measure_linked(prefix, [package], Budget(60))
    summary, other = TransactionSummary(linked), TransactionSummary()
    assert summary.linked.size_bytes == sum(du(f"{prefix}/shared", f"{prefix}/copied"))
    assert [summary.linked.private_bytes] == du(f"{prefix}/copied")
    other.linked.copied.append(package)
    assert (TransactionSummary().linked.copied, other.linked.size_bytes) == ([], 0)
