"""Mistakes in the decision about what a clean removes."""

from __future__ import annotations

from tests.clean_safety.mutants.mutant import Mutant, by

MUTANTS = (
    Mutant(
        "a package that was moved aside is given up for a partial new one",
        "clean/planner.py::_finishing",
        "entry.stage is Stage.MOVING and self._is_whole(index_of.get(unit.home))",
        "entry.stage is Stage.MOVING and unit.home in index_of",
        by(
            "clean_safety/test_race",
            "a_moved_package_is_not_given_up_for_a_partial_new_one",
        ),
    ),
    Mutant(
        "a package that waits in a closed cache is finished",
        "clean/planner.py::_finishing",
        "entry is None or not self._is_open(index) or ...",
        "entry is None or ...",
        by("unit/clean/test_planner", "nothing_in_a_closed_cache_is_removed_or_moved"),
    ),
    Mutant(
        "the newest packages are counted over all caches",
        "clean/planner.py::_newest",
        "by_name[self.units[index].root, package.name]",
        "by_name[0, package.name]",
        by("unit/clean/test_planner", "the_newest_are_kept_in_each_cache_whether_used_or_not"),
    ),
    Mutant(
        "versions are compared as text",
        "clean/planner.py::_newest",
        "self.version_key(package.version)",
        "package.version",
        by("unit/clean/test_planner", "the_newest_are_sorted_by_version_then_by_build"),
    ),
    Mutant(
        "the most recently used packages go first to make a cache fit",
        "clean/planner.py::_as_far_as_needed",
        "here.sort(key=self._last_use_ns)",
        "here.sort(key=self._last_use_ns, reverse=True)",
        by(
            "unit/clean/test_planner",
            "the_least_recently_used_packages_are_removed_until_the_cache_fits",
        ),
    ),
    Mutant(
        "one package too many goes from a cache that fits to the byte",
        "clean/planner.py::_as_far_as_needed",
        "-limit_bytes",
        "1 - limit_bytes",
        by(
            "unit/clean/test_planner",
            "the_least_recently_used_packages_are_removed_until_the_cache_fits",
        ),
    ),
    Mutant(
        "a package reaches an age a nanosecond late",
        "clean/planner.py::_not_chosen",
        "age_ns < older_than_ns",
        "age_ns <= older_than_ns",
        by("unit/clean/test_planner", "older_than_is_exact_to_the_nanosecond"),
    ),
    Mutant(
        "a pattern matches the beginning of a name",
        "clean/planner.py::_not_chosen",
        "fnmatchcase(name, name_glob)",
        'fnmatchcase(name, f"{name_glob}*")',
        by("unit/clean/test_planner", "a_pattern_matches_the_whole_name_or_all_three_parts"),
    ),
    Mutant(
        "packages that are only held count as freed",
        "clean/planner.py::plan",
        "finishing if self.choice.hold else chosen",
        "chosen",
        by(
            "unit/clean/test_planner",
            "held_packages_free_nothing_yet_and_given_up_ones_do",
        ),
    ),
    Mutant(
        "trial links go without a request",
        "clean/planner.py::make_plan",
        "trial_links if choice.trash else ()",
        "trial_links",
        by("unit/clean/test_planner", "a_trial_link_frees_its_inode_only_if_it_is_the_last_link"),
    ),
    Mutant(
        "files beside packages are not checked as partners",
        "clean/planner.py::_removal_of_package",
        """
            (
                other.path
                if other.kind is UnitKind.PACKAGE and other.entry is None
                else self._cache(number)
            )
        """,
        'other.path if other.kind is UnitKind.PACKAGE and other.entry is None else ""',
        by("unit/clean/test_planner", "a_removal_has_everything_that_is_checked_again"),
    ),
    Mutant(
        "a package that an option allows is removed from a closed cache",
        "clean/planner.py::_verdict_and_reason",
        """
            if not self._is_open(index):
                return verdict, ...
        """,
        """
            if not self._is_open(index) and not self.allowed:
                return verdict, ...
        """,
        by("unit/clean/test_planner", "nothing_in_a_closed_cache_is_removed_or_moved"),
    ),
    Mutant(
        "a package that was given up goes with the environment in it",
        "clean/planner.py::_finishing",
        "entry is None or not self._is_open(index) or ...",
        "entry is None or not self._is_open(index)",
        by("unit/clean/test_planner", "nothing_that_contains_an_environment_or_a_cache_is_removed"),
    ),
    Mutant(
        "a left-over or an archive that contains an environment goes",
        "clean/planner.py::_used_by_environment",
        """
            if index in self.inventory.units_with_roots_inside:
                return KeepReason(Verdict.UNVERIFIABLE, HOLDS_ROOT)
        """,
        """
            if index in self.inventory.units_with_roots_inside:
                return None
        """,
        by("unit/clean/test_planner", "nothing_that_contains_an_environment_or_a_cache_is_removed"),
    ),
    Mutant(
        "an archive from the future is old",
        "clean/archives.py::recent",
        """
            (
                self._analysis.observations.now_ns - changed_ns
                < self._analysis.policy.grace_ns
            )
        """,
        """
            (
                0
                <= self._analysis.observations.now_ns - changed_ns
                < self._analysis.policy.grace_ns
            )
        """,
        by("unit/clean/test_archives", "the_grace_of_an_archive_is_exact_to_the_nanosecond"),
    ),
    Mutant(
        "a partial package replaces its archive",
        "clean/archives.py::reason_to_keep",
        "package if unit is not None else next(iter(verdicts.unseen), None)",
        "None if unit is not None else next(iter(verdicts.unseen), None)",
        by(
            "unit/clean/test_archives",
            "a_partial_package_does_not_replace_its_archive",
        ),
    ),
    Mutant(
        "an archive of a package that an unseen environment may use goes",
        "clean/archives.py::reason_to_keep",
        "next(iter(verdicts.unseen), None)",
        "next(iter(verdicts.unseen if self._recorded else ()), None)",
        by(
            "unit/clean/test_archives",
            "an_unreadable_environment_keeps_archives_without_an_extracted_package",
        ),
    ),
    Mutant(
        "an archive has the URL of another one with the same end of its name",
        "clean/archives.py::_url",
        'package.url.endswith(f"/{name}")',
        "package.url.endswith(name)",
        by("unit/clean/test_archives", "the_extracted_package_names_the_url_of_its_archive"),
    ),
    Mutant(
        "the first URL in urls.txt counts for an archive",
        "clean/archives.py::_url",
        '{url.rpartition("/")[2]: url for url in known}',
        '{url.rpartition("/")[2]: url for url in reversed(known)}',
        by("unit/clean/test_archives", "the_last_line_for_an_archive_in_urls_txt_is_its_url"),
    ),
    Mutant(
        "--copied lets the only archive of a recorded package go",
        "clean/archives.py::reason_to_keep",
        'f"{dist_of(extracted)}.json" in self._recorded',
        'f"{dist_of(extracted)}.json" in self._recorded and Verdict.RECORDED not in allowed',
        by(
            "unit/clean/test_archives",
            "a_recorded_package_needs_its_archive_unless_it_is_extracted",
        ),
    ),
    Mutant(
        "a cache that is not named is cleaned, too",
        "clean/permissions.py::closed_caches",
        """
            if named:
                ...
            else:
                reason = _obstacle(cache) or _reservation(cache)
        """,
        "reason = _obstacle(cache) or _reservation(cache)",
        by("unit/clean/test_permissions", "if_a_cache_is_named_all_others_are_closed"),
    ),
    Mutant(
        "root cleans a cache that a group can write to",
        "filesystem/protocol.py::is_writable_by_others",
        "stat.S_IWGRP | stat.S_IWOTH",
        "stat.S_IWOTH",
        by("unit/clean/test_permissions", "root_does_not_clean_a_cache_that_others_can_write_to"),
    ),
    Mutant(
        "a named cache counts as writable",
        "clean/permissions.py::closed_caches",
        "reason = _obstacle(cache)",
        'reason = ""',
        by(
            "unit/clean/test_permissions",
            "a_cache_that_cannot_be_written_is_closed_even_if_it_is_named",
        ),
    ),
    Mutant(
        "a trial link frees its inode although other links are left",
        "clean/trial_links.py::bytes_of_trial_links",
        "links[inode] == status.link_count",
        "links[inode]",
        by("unit/clean/test_planner", "a_trial_link_frees_its_inode_only_if_it_is_the_last_link"),
    ),
    Mutant(
        "a package that cannot go back is planned as if it could",
        "clean/planner.py::plan",
        "{*finishing, *blocked}",
        "finishing",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "a left-over goes although a symbolic link leads to it",
        "clean/planner.py::_removable",
        "self._used_by_environment(index) or reason_to_keep(unit.path)",
        """
            (
                (kind is not UnitKind.TRASH and self._used_by_environment(index))
                or reason_to_keep(unit.path)
            )
        """,
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "an archive goes although a symbolic link leads to it",
        "clean/planner.py::_removable",
        "self._used_by_environment(index) or reason_to_keep(unit.path)",
        """
            (
                (kind is not UnitKind.ARCHIVE and self._used_by_environment(index))
                or reason_to_keep(unit.path)
            )
        """,
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "an environment is known by only one of its paths",
        "clean/planner.py::_recorded_by",
        "frozenset(found | aliases)",
        "frozenset(found)",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "an archive is as old as its content",
        "clean/archives.py::recent",
        "changed_ns = fs.status(path).ctime_ns",
        "changed_ns = fs.status(path).mtime_ns",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "an archive of unknown age is old",
        "clean/archives.py::fetched_ns",
        "return self._analysis.observations.now_ns",
        "return 0",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "a symbolic link opens the cache of another user",
        "clean/permissions.py::_reservation",
        "fs.status(cache, follow_symlinks=True)",
        "fs.status(cache)",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "--cache opens a cache that the settings keep closed",
        "clean/permissions.py::closed_caches",
        """
            if is_named(cache, read_only):
                reason = ...
            elif is_named(cache, named):
                reason = _obstacle(cache)
            else:
                ...
        """,
        """
            if is_named(cache, named):
                reason = _obstacle(cache)
            elif is_named(cache, read_only):
                reason = ...
            else:
                ...
        """,
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "a file whose name begins like that of a trial link is one",
        "clean/trial_links.py::find_trial_links",
        "[os.path.join(prefix, name) for name in names if _TRIAL_LINK.fullmatch(name)]",
        "[os.path.join(prefix, name) for name in names if _TRIAL_LINK.match(name)]",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "a trial link that conda has just made goes",
        "clean/trial_links.py::_is_left_over",
        "status is not None and status.ctime_ns <= before_ns and status.is_regular",
        "status is not None and status.is_regular",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "a folder with the name of a trial link is one",
        "clean/trial_links.py::_is_left_over",
        "status is not None and status.ctime_ns <= before_ns and status.is_regular",
        "status is not None and status.ctime_ns <= before_ns",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "the first plan has the last word",
        "clean/execution.py::execute_plan",
        """
            execute_removals(
                plan,
                ...,
                lambda moved: _reasons_to_keep(replan(), moved),
                ...,
                hold_until_s=...,
                on_step=...,
            )
        """,
        """
            execute_removals(
                plan,
                ...,
                lambda moved: _reasons_to_keep(plan, moved),
                ...,
                hold_until_s=...,
                on_step=...,
            )
        """,
        by("clean_safety/test_unreadable", "packages_used_while_moved_aside_are_kept"),
    ),
    Mutant(
        "a package that the second plan does not know goes",
        "clean/execution.py::_reasons_to_keep",
        "found[removal.path] = reasons.get(removal.path, ...)",
        """
            if removal.path in reasons:
                found[removal.path] = reasons[removal.path]
        """,
        by(
            "clean_safety/test_unreadable",
            "packages_used_since_the_plan_are_kept_whatever_cannot_be_read",
        ),
    ),
    Mutant(
        "a trial link to a package that is moved aside is not noticed",
        "clean/execution.py::_reasons_to_keep",
        "still.package is None or still.package.linked_ns != removal.package.linked_ns",
        "still.package is None",
        by(
            "unit/executor/test_executor",
            "a_trial_link_just_before_a_package_is_moved_brings_it_back",
        ),
    ),
)
