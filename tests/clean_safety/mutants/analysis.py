"""Mistakes in the decision about who uses a package."""

from __future__ import annotations

from tests.clean_safety.mutants.mutant import Mutant, by

MUTANTS = (
    Mutant(
        "a package with links from outside counts as unused",
        "analysis/verdicts.py::find_package_uses",
        "PackageUse(used, index in outside)",
        "PackageUse(used, bool(used) and index in outside)",
        by("unit/analysis/test_verdicts", "a_link_outside_the_scan_keeps_the_package"),
    ),
    Mutant(
        "a package from the future is old",
        "analysis/verdicts.py::_own_keep_reasons",
        "age_ns < self._policy.grace_ns",
        "0 <= age_ns < self._policy.grace_ns",
        by(
            "unit/analysis/test_verdicts",
            "a_package_is_recent_until_the_grace_has_passed_since_either_was_written",
        ),
    ),
    Mutant(
        "the grace period ends a nanosecond early",
        "analysis/verdicts.py::_own_keep_reasons",
        "age_ns < self._policy.grace_ns",
        "age_ns < self._policy.grace_ns - 1",
        by(
            "unit/analysis/test_verdicts",
            "a_package_is_recent_until_the_grace_has_passed_since_either_was_written",
        ),
    ),
    Mutant(
        "a trial link of conda does not make a package recent",
        "analysis/verdicts.py::_own_keep_reasons",
        "self._observations.now_ns - package.last_use_ns",
        "self._observations.now_ns - (package.finished_ns or package.last_use_ns)",
        by("unit/analysis/test_verdicts", "a_trial_link_and_its_removal_make_a_package_recent"),
    ),
    Mutant(
        "an unfinished package goes after the grace period",
        "analysis/verdicts.py::_own_keep_reasons",
        "max(self._policy.grace_ns, UNFINISHED_NS)",
        "self._policy.grace_ns",
        by(
            "unit/analysis/test_verdicts",
            "a_killed_extraction_stays_for_a_day_or_as_long_as_the_grace",
        ),
    ),
    Mutant(
        "a package with any URL can be downloaded again",
        "analysis/verdicts.py::_own_keep_reasons",
        'package.url.startswith(("http://", "https://"))',
        '"://" in package.url',
        by(
            "unit/analysis/test_verdicts",
            "a_package_is_obtainable_by_its_archive_or_by_a_url",
        ),
    ),
    Mutant(
        "links in one environment make the records of all others void",
        "analysis/verdicts.py::_drop_records_of_linked",
        "(root, dist) in linked",
        "dist in {name for _, name in linked}",
        by("unit/analysis/test_verdicts", "the_strongest_evidence_of_each_environment_is_named"),
    ),
    Mutant(
        "the beginning of an ignored path ignores another environment",
        "analysis/retention.py::ignores",
        "is_within(path, ignored)",
        "path.startswith(ignored)",
        by(
            "unit/analysis/test_verdicts",
            "an_unreadable_environment_keeps_everything_until_it_is_ignored",
        ),
    ),
    Mutant(
        "one ignored environment ignores all others",
        "analysis/verdicts.py::Verdicts",
        "tuple(problem for problem in unseen if not policy.ignores(problem.path))",
        "() if any(policy.ignores(problem.path) for problem in unseen) else unseen",
        by("unit/analysis/test_verdicts", "every_unreadable_environment_must_be_ignored"),
    ),
    Mutant(
        "a symbolic link that cannot be followed keeps nothing",
        "analysis/verdicts.py::unreadable_parts_of_environments",
        "found += [problem for links in symlinks.values() for problem in links.unresolved]",
        "",
        by(
            "unit/analysis/test_verdicts",
            "a_symbolic_link_that_cannot_be_followed_keeps_every_package",
        ),
    ),
    Mutant(
        "an unreadable folder of an environment keeps nothing",
        "analysis/verdicts.py::unreadable_parts_of_environments",
        "roots[problem.root].kind is RootKind.ENVIRONMENT",
        "roots[problem.root].kind is RootKind.CACHE",
        by(
            "unit/analysis/test_verdicts",
            "a_folder_of_an_environment_that_cannot_be_read_keeps_every_package",
        ),
    ),
    Mutant(
        "a package in a record is not examined any further",
        "analysis/verdicts.py::keeping_verdicts",
        "by_use and by_use[0] in (Verdict.LINKED, Verdict.SOFTLINKED)",
        "by_use",
        by("unit/analysis/test_verdicts", "all_keep_reasons_are_returned_strongest_first"),
    ),
    Mutant(
        "an unreadable folder in a package keeps nothing",
        "analysis/verdicts.py::keep_reasons",
        "[... for problem in self._unreadable if is_within(problem.path, path)]",
        "[... for problem in self._unreadable if problem.path == path]",
        by(
            "unit/analysis/test_verdicts", "an_unreadable_part_of_a_package_keeps_only_that_package"
        ),
    ),
    Mutant(
        "the weakest evidence of an environment counts",
        "analysis/verdicts.py::find_package_uses",
        "users[index][root] = use",
        "users[index].setdefault(root, use)",
        by("unit/analysis/test_verdicts", "the_strongest_evidence_of_each_environment_is_named"),
    ),
    Mutant(
        "packages go with the first environment that shares them",
        "analysis/verdicts.py::only_used_by",
        "use.environments.keys() <= roots",
        "use.environments.keys() & roots",
        by(
            "unit/analysis/test_verdicts",
            "packages_are_removable_with_the_only_environments_that_use_them",
        ),
    ),
    Mutant(
        "packages with links from outside go with their only environment",
        "analysis/verdicts.py::packages_by_only_user",
        "len(use.environments) == 1 and not use.outside and self._is_only_recent(unit)",
        "len(use.environments) == 1 and self._is_only_recent(unit)",
        by(
            "unit/analysis/test_verdicts",
            "by_only_user_agrees_with_only_used_by",
        ),
    ),
    Mutant(
        "a record uses a package in only one cache",
        "analysis/verdicts.py::_recorded",
        "by_name.setdefault(inventory.units[index].dist, set()).add(index)",
        "by_name.setdefault(inventory.units[index].dist, {index})",
        by("unit/analysis/test_verdicts", "a_record_uses_the_packages_of_its_name_in_every_cache"),
    ),
    Mutant(
        "a record does not use a package with its origin in its name",
        "metadata/quarantine_names.py::dist_of",
        '_ORIGIN.sub("", home_of(path).rpartition("/")[2])',
        'home_of(path).rpartition("/")[2]',
        by(
            "unit/analysis/test_verdicts", "a_package_with_its_origin_in_its_name_is_used_by_record"
        ),
    ),
    Mutant(
        "an unreadable record does not keep a package from --copied",
        "analysis/verdicts.py::records_against_copies",
        "found.append(problem)",
        "",
        by(
            "unit/clean/test_planner",
            "a_recorded_package_is_removed_only_if_its_record_says_copied",
        ),
    ),
    Mutant(
        "a package that contains an environment goes",
        "analysis/verdicts.py::keep_reasons",
        "problems.append(PathProblem(path, HOLDS_ROOT))",
        "",
        by("unit/clean/test_planner", "nothing_that_contains_an_environment_or_a_cache_is_removed"),
    ),
    Mutant(
        "a link does not use a package that it only passes through",
        "analysis/symlinks.py::_read",
        "units |= self.units_at(path)",
        "",
        by(
            "unit/analysis/test_symlinks_indirect",
            "a_folder_on_the_path_that_is_a_link_in_a_package_is_a_hop",
        ),
    ),
    Mutant(
        "a link that must not be followed counts as broken",
        "analysis/symlinks.py::follow",
        "isinstance(error, GONE)",
        "isinstance(error, GONE | PermissionError)",
        by("unit/analysis/test_symlinks", "a_link_to_an_unreadable_target_is_not_broken"),
    ),
    Mutant(
        "a package of a cache inside a cache is looked up in the outer one",
        "analysis/symlinks.py",
        "-len(root[0])",
        "len(root[0])",
        by(
            "unit/analysis/test_symlinks",
            "a_package_in_a_cache_inside_a_cache_is_found_whichever_is_listed_first",
        ),
    ),
    Mutant(
        "a path does not use a package that it leaves again by ..",
        "analysis/symlinks.py::_resolve",
        "units |= self.units_at(current)",
        "",
        by(
            "unit/analysis/test_symlinks_indirect",
            "a_package_that_a_path_only_leaves_by_dot_dot_is_a_hop",
        ),
    ),
    Mutant(
        "a dangling link does not keep a package that was moved aside",
        "analysis/symlinks.py::follow_symlinks",
        "not dangling and not passes_package",
        "chain.end is None or not passes_package",
        by(
            "unit/analysis/test_symlinks",
            "a_link_to_the_original_path_of_a_quarantined_package_passes_it",
        ),
    ),
    Mutant(
        "a link uses the held one of two packages with the same place",
        "analysis/symlinks.py::_CachePaths.__init__",
        "item[1].kind is UnitKind.PACKAGE",
        "item[1].kind is not UnitKind.PACKAGE",
        by(
            "unit/analysis/test_symlinks_indirect",
            "of_two_packages_with_one_original_path_the_restorable_one_is_used",
        ),
    ),
    Mutant(
        "a root that cannot be resolved contains nothing",
        "analysis/symlinks.py::_CachePaths.__init__",
        "self.unknown.append(name)",
        "continue",
        by(
            "clean_safety/test_unreadable",
            "a_path_that_cannot_be_resolved_never_makes_more_removable",
        ),
    ),
    Mutant(
        "a cache is not recognized under another mount",
        "analysis/symlinks.py",
        """
            if index in self.others:
                ...
        """,
        """
            if index not in self.others:
                ...
        """,
        by(
            "unit/analysis/test_symlinks_indirect",
            "a_link_through_an_unlisted_bind_mount_is_followed",
        ),
    ),
    Mutant(
        "a link with a path too long to follow keeps nothing",
        "analysis/symlinks.py::follow",
        "_Chain(units, error=...)",
        "_Chain(units, broken=True)",
        by(
            "unit/analysis/test_symlinks_indirect",
            "a_link_too_deep_to_follow_keeps_every_package",
        ),
    ),
    Mutant(
        "a package can be restored from an archive that was given up",
        "analysis/verdicts.py::_is_archive",
        "unit.entry is not None and unit.entry.stage is Stage.MOVING",
        "unit.entry is not None",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "a package can be restored from an archive in another cache",
        "analysis/verdicts.py::_own_keep_reasons",
        "any(home + suffix in self._archives for suffix in ARCHIVE_SUFFIXES)",
        """
            any(
                os.path.basename(home) + suffix in map(os.path.basename, self._archives)
                for suffix in ARCHIVE_SUFFIXES
            )
        """,
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "a package on its way out takes the record of its successor",
        "analysis/verdicts.py::_drop_records_of_linked",
        "unit.path == unit.home or unit.home not in paths",
        "unit.path",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "records of one environment are enough for those with an unreadable conda-meta",
        "analysis/verdicts.py::unreadable_parts_of_environments",
        "index not in inventory.records",
        "not inventory.records",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "only the first environment with a record of a package is asked for symbolic links",
        "analysis/verdicts.py::records_against_copies",
        "self.uses[unit].environments",
        "list(self.uses[unit].environments)[:1]",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "a package that a running conda is about to link goes",
        "analysis/verdicts.py::_own_keep_reasons",
        "self.active_leases(dist)[:1]",
        "self.active_leases(dist)[: age_ns < self._policy.grace_ns]",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "only the first link through a folder uses the packages on the way",
        "analysis/symlinks.py::_enter",
        "units |= known[1]",
        "",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "a link with forty hops leads nowhere",
        "filesystem/linux.py",
        "max_symlinks = 40",
        "max_symlinks = 38",
        by("clean_safety/test_edge_cases"),
    ),
)
