"""Mistakes in the decision about what a clean removes."""

from __future__ import annotations

from tests.clean_safety.mutants.mutant import Mutant, by

MUTANTS = (
    Mutant(
        "a package that was moved aside is given up for a partial new one",
        "clean/planner.py::_finishing",
        "entry.stage is Stage.MOVING and self._is_whole(there.get(place.home))",
        "entry.stage is Stage.MOVING and place.home in there",
        by(
            "clean_safety/test_race",
            "what_was_moved_aside_is_not_given_up_for_what_is_there_again_in_part",
        ),
    ),
    Mutant(
        "a package that waits in a closed cache is finished",
        "clean/planner.py::_finishing",
        "entry is None or not self._is_open(unit) or unit in self.analysis.inventory.holding",
        "entry is None or unit in self.analysis.inventory.holding",
        by("unit/clean/test_planner", "a_closed_cache_is_left_alone_with_all_that_is_in_it"),
    ),
    Mutant(
        "the newest packages are counted over all caches",
        "clean/planner.py::_newest",
        "by_name.setdefault((self.units[unit].root, package.name), [])",
        "by_name.setdefault((0, package.name), [])",
        by("unit/clean/test_planner", "the_newest_are_those_of_each_cache_in_use_or_not"),
    ),
    Mutant(
        "versions are compared as text",
        "clean/planner.py::_age_order",
        "self.version_key(package.version)",
        "package.version",
        by("unit/clean/test_planner", "the_newest_are_told_by_version_then_by_build"),
    ),
    Mutant(
        "the most recently used packages go first to make a cache fit",
        "clean/planner.py::_as_far_as_needed",
        "here.sort(key=self._last_use_ns)",
        "here.sort(key=self._last_use_ns, reverse=True)",
        by("unit/clean/test_planner", "as_many_go_as_make_the_cache_fit_and_the_last_used_stay"),
    ),
    Mutant(
        "one package too many goes from a cache that fits to the byte",
        "clean/planner.py::_as_far_as_needed",
        "usage.unique_without(root, others.union(here[:middle])) <= limit_bytes",
        "usage.unique_without(root, others.union(here[:middle])) < limit_bytes",
        by("unit/clean/test_planner", "as_many_go_as_make_the_cache_fit_and_the_last_used_stay"),
    ),
    Mutant(
        "a package reaches an age a nanosecond late",
        "clean/planner.py::_not_chosen",
        "age_ns < older_than_ns",
        "age_ns <= older_than_ns",
        by("unit/clean/test_planner", "an_age_is_reached_to_the_nanosecond"),
    ),
    Mutant(
        "a pattern matches the beginning of a name",
        "clean/planner.py::_not_chosen",
        "fnmatchcase(name, name_glob)",
        'fnmatchcase(name, f"{name_glob}*")',
        by("unit/clean/test_planner", "a_pattern_is_of_the_whole_name_or_of_all_three_parts"),
    ),
    Mutant(
        "packages that are only held count as freed",
        "clean/planner.py::plan",
        "finishing if self.choice.hold else chosen",
        "chosen",
        by(
            "unit/clean/test_planner",
            "what_is_to_be_held_frees_nothing_yet_but_what_was_given_up_does",
        ),
    ),
    Mutant(
        "trial links go without a request",
        "clean/planner.py::plan",
        "self.trial_links if self.choice.trash else ()",
        "self.trial_links",
        by("unit/clean/test_planner", "a_trial_link_frees_its_inode_only_where_it_is_the_last"),
    ),
    Mutant(
        "files beside packages are not checked as partners",
        "clean/planner.py::_removal_of_package",
        """
            (
                place.path
                if place.kind is UnitKind.PACKAGE and place.entry is None
                else self._cache(other)
            )
        """,
        'place.path if place.kind is UnitKind.PACKAGE and place.entry is None else ""',
        by("unit/clean/test_planner", "a_package_that_goes_has_with_it_all_that_is_asked_again"),
    ),
    Mutant(
        "a package that an option allows is removed from a closed cache",
        "clean/planner.py::_objection",
        """
            if not self._is_open(unit):
                return verdict, ...
        """,
        """
            if not self._is_open(unit) and not self.allowed:
                return verdict, ...
        """,
        by("unit/clean/test_planner", "a_closed_cache_is_left_alone_with_all_that_is_in_it"),
    ),
    Mutant(
        "a package that was given up goes with the environment in it",
        "clean/planner.py::_finishing",
        "entry is None or not self._is_open(unit) or unit in self.analysis.inventory.holding",
        "entry is None or not self._is_open(unit)",
        by("unit/clean/test_planner", "nothing_goes_that_an_environment_or_a_cache_lies_in"),
    ),
    Mutant(
        "a left-over or an archive that contains an environment goes",
        "clean/planner.py::_leads_on",
        "return Verdict.UNVERIFIABLE, HOLDS_ROOT",
        "return None",
        by("unit/clean/test_planner", "nothing_goes_that_an_environment_or_a_cache_lies_in"),
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
        by("unit/clean/test_archives", "an_archive_is_young_to_the_nanosecond"),
    ),
    Mutant(
        "a partial package replaces its archive",
        "clean/archives.py::objection",
        "return self._torn(extracted)",
        "return None",
        by(
            "unit/clean/test_archives",
            "a_package_that_is_there_in_part_does_not_stand_for_its_archive",
        ),
    ),
    Mutant(
        "an archive of a package that an unseen environment may use goes",
        "clean/archives.py::objection",
        """
            if self._analysis.evidence.unseen:
                ...
        """,
        """
            if self._analysis.evidence.unseen and self._recorded:
                ...
        """,
        by(
            "unit/clean/test_archives", "where_an_environment_is_unseen_only_what_is_extracted_goes"
        ),
    ),
    Mutant(
        "an archive has the URL of another one with the same end of its name",
        "clean/archives.py::_url",
        'package.url.endswith(f"/{name}")',
        "package.url.endswith(name)",
        by("unit/clean/test_archives", "the_package_extracted_from_it_says_where_it_is_from"),
    ),
    Mutant(
        "the first URL in urls.txt counts for an archive",
        "clean/archives.py::_url",
        '{url.rpartition("/")[2]: url for url in known}',
        '{url.rpartition("/")[2]: url for url in reversed(known)}',
        by("unit/clean/test_archives", "where_an_archive_is_from_is_what_urls_txt_said_last"),
    ),
    Mutant(
        "--copied lets the only archive of a recorded package go",
        "clean/archives.py::objection",
        'f"{dist_of(extracted)}.json" in self._recorded',
        'f"{dist_of(extracted)}.json" in self._recorded and Verdict.RECORDED not in allowed',
        by("unit/clean/test_archives", "what_is_recorded_needs_its_archive_unless_it_is_extracted"),
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
        by("unit/clean/test_permissions", "only_what_is_named_is_cleaned"),
    ),
    Mutant(
        "root cleans a cache that a group can write to",
        "filesystem/protocol.py::is_writable_by_others",
        "stat.S_IWGRP | stat.S_IWOTH",
        "stat.S_IWOTH",
        by("unit/clean/test_permissions", "the_administrator_leaves_alone_where_others_can_write"),
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
        by("unit/clean/test_planner", "a_trial_link_frees_its_inode_only_where_it_is_the_last"),
    ),
    Mutant(
        "a package that cannot go back is planned as if it could",
        "clean/planner.py::plan",
        "{*finishing, *self._kept_out(returning)}",
        "finishing",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "a left-over goes although a symbolic link leads to it",
        "clean/planner.py::_trash",
        "self._leads_on(unit) or self.archives.recent(place.path)",
        "self.archives.recent(place.path)",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "an archive goes although a symbolic link leads to it",
        "clean/planner.py::_tarballs",
        """
            (
                self._leads_on(unit)
                or self.archives.objection(place.path, self.allowed)
                or self._archive_not_chosen(place.path)
            )
        """,
        """
            (
                self.archives.objection(place.path, self.allowed)
                or self._archive_not_chosen(place.path)
            )
        """,
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "an environment is known by only one of its paths",
        "clean/planner.py::_recorded_by",
        "frozenset(found | aliases)",
        "frozenset(found)",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "an archive is as old as its content",
        "clean/archives.py::recent",
        "changed_ns = fs.status(path).ctime_ns",
        "changed_ns = fs.status(path).mtime_ns",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "an archive of unknown age is old",
        "clean/archives.py::fetched_ns",
        "return self._analysis.observations.now_ns",
        "return 0",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "a symbolic link opens the cache of another user",
        "clean/permissions.py::_reservation",
        "fs.status(cache, follow_symlinks=True)",
        "fs.status(cache)",
        by("clean_safety/test_edges"),
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
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "a file whose name begins like that of a trial link is one",
        "clean/trial_links.py::find_trial_links",
        "[os.path.join(prefix, name) for name in sorted(names) if _TRIAL_LINK.fullmatch(name)]",
        "[os.path.join(prefix, name) for name in sorted(names) if _TRIAL_LINK.match(name)]",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "a trial link that conda has just made goes",
        "clean/trial_links.py::_is_left_over",
        "status.ctime_ns <= before_ns and status.is_regular",
        "status.is_regular",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "a folder with the name of a trial link is one",
        "clean/trial_links.py::_is_left_over",
        "status.ctime_ns <= before_ns and status.is_regular",
        "status.ctime_ns <= before_ns",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "the first plan has the last word",
        "clean/execution.py::execute_plan",
        """
            execute_removals(
                plan,
                ...,
                lambda moved: _objections(replan(), moved),
                ...,
                hold_until_s=...,
                on_step=...,
            )
        """,
        """
            execute_removals(
                plan,
                ...,
                lambda moved: _objections(plan, moved),
                ...,
                hold_until_s=...,
                on_step=...,
            )
        """,
        by("clean_safety/test_unreadable", "nothing_that_is_used_meanwhile_goes"),
    ),
    Mutant(
        "a package that the second plan does not know goes",
        "clean/execution.py::_objections",
        "found[removal.path] = why.get(removal.path, ...)",
        """
            if removal.path in why:
                found[removal.path] = why[removal.path]
        """,
        by(
            "clean_safety/test_unreadable",
            "packages_used_meanwhile_stay_whatever_cannot_be_looked_at",
        ),
    ),
    Mutant(
        "a trial link to a package that is moved aside is not noticed",
        "clean/execution.py::_objections",
        "still.package is None or still.package.linked_ns != removal.package.linked_ns",
        "still.package is None",
        by("unit/executor/test_quarantine"),
    ),
)
