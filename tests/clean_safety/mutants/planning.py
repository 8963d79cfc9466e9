"""Mistakes in what decides what goes."""

from __future__ import annotations

from tests.clean_safety.mutants.mutant import Mutant, by

MUTANTS = (
    Mutant(
        "what was moved aside is given up for what is there again in part",
        "clean/planner.py",
        (
            "entry.stage is Stage.MOVING and self._is_whole(\n"
            "                there.get(home_of(place.path))\n"
            "            )"
        ),
        "entry.stage is Stage.MOVING and home_of(place.path) in there",
        by(
            "clean_safety/test_race",
            "what_was_moved_aside_is_not_given_up_for_what_is_there_again_in_part",
        ),
    ),
    Mutant(
        "what waits in a closed cache is finished",
        "clean/planner.py",
        "if entry is None or not self._is_open(unit) or",
        "if entry is None or",
        by("unit/clean/test_planner", "a_closed_cache_is_left_alone_with_all_that_is_in_it"),
    ),
    Mutant(
        "the newest are counted over all caches",
        "clean/planner.py",
        "by_name.setdefault((self.units[unit].root, package.name), []).append(",
        "by_name.setdefault((0, package.name), []).append(",
        by("unit/clean/test_planner", "the_newest_are_those_of_each_cache_in_use_or_not"),
    ),
    Mutant(
        "the newest version is told by its letters",
        "clean/planner.py",
        "return self.version_key(package.version), package.build_number, package.last_use_ns",
        "return package.version, package.build_number, package.last_use_ns",
        by("unit/clean/test_planner", "the_newest_are_told_by_version_then_by_build"),
    ),
    Mutant(
        "the last used go first to make a cache fit",
        "clean/planner.py",
        "here.sort(key=self._last_use_ns)",
        "here.sort(key=self._last_use_ns, reverse=True)",
        by("unit/clean/test_planner", "as_many_go_as_make_the_cache_fit_and_the_last_used_stay"),
    ),
    Mutant(
        "one more than needed goes where a cache fits to the byte",
        "clean/planner.py",
        "others.union(here[:middle])) <= limit_bytes:",
        "others.union(here[:middle])) < limit_bytes:",
        by("unit/clean/test_planner", "as_many_go_as_make_the_cache_fit_and_the_last_used_stay"),
    ),
    Mutant(
        "an age is reached a nanosecond late",
        "clean/planner.py",
        "age_ns < older_than_ns",
        "age_ns <= older_than_ns",
        by("unit/clean/test_planner", "an_age_is_reached_to_the_nanosecond"),
    ),
    Mutant(
        "a pattern matches the beginning of a name",
        "clean/planner.py",
        "any(fnmatchcase(name, name_glob) for name in names)",
        'any(fnmatchcase(name, f"{name_glob}*") for name in names)',
        by("unit/clean/test_planner", "a_pattern_is_of_the_whole_name_or_of_all_three_parts"),
    ),
    Mutant(
        "what is only held counts as freed",
        "clean/planner.py",
        "freed_now = finishing if self.choice.hold else chosen",
        "freed_now = chosen",
        by(
            "unit/clean/test_planner",
            "what_is_to_be_held_frees_nothing_yet_but_what_was_given_up_does",
        ),
    ),
    Mutant(
        "trial links go without being asked for",
        "clean/planner.py",
        "probes=self.probes if self.choice.trash else (),",
        "probes=self.probes,",
        by("unit/clean/test_planner", "a_trial_link_frees_its_inode_only_where_it_is_the_last"),
    ),
    Mutant(
        "what lies beside packages is no partner",
        "clean/planner.py",
        "            else self._cache(other)  # wherever in it that is by then\n",
        '            else ""\n',
        by("unit/clean/test_planner", "a_package_that_goes_has_with_it_all_that_is_asked_again"),
    ),
    Mutant(
        "what is allowed is removed from a closed cache",
        "clean/planner.py",
        "        if not self._is_open(unit):\n            return verdict",
        ("        if not self._is_open(unit) and not self.allowed:\n            return verdict"),
        by("unit/clean/test_planner", "a_closed_cache_is_left_alone_with_all_that_is_in_it"),
    ),
    Mutant(
        "what was given up goes with the environment that lies in it",
        "clean/planner.py",
        " or unit in self.facts.inventory.holding:",
        ":",
        by("unit/clean/test_planner", "nothing_goes_that_an_environment_or_a_cache_lies_in"),
    ),
    Mutant(
        "a left-over or an archive in which an environment lies goes",
        "clean/planner.py",
        "            return Verdict.UNVERIFIABLE, HOLDS_ROOT\n",
        "            return None\n",
        by("unit/clean/test_planner", "nothing_goes_that_an_environment_or_a_cache_lies_in"),
    ),
    Mutant(
        "an archive from the future is old",
        "clean/archives.py",
        "if self._terms.now_ns - changed_ns < self._terms.grace_ns:",
        "if 0 <= self._terms.now_ns - changed_ns < self._terms.grace_ns:",
        by("unit/clean/test_archives", "an_archive_is_young_to_the_nanosecond"),
    ),
    Mutant(
        "a package that is there in part stands for its archive",
        "clean/archives.py",
        "return self._torn(extracted)",
        "return None",
        by(
            "unit/clean/test_archives",
            "a_package_that_is_there_in_part_does_not_stand_for_its_archive",
        ),
    ),
    Mutant(
        "an archive of a package that an unseen environment may have goes",
        "clean/archives.py",
        "if self._facts.evidence.unseen:",
        "if self._facts.evidence.unseen and self._recorded:",
        by(
            "unit/clean/test_archives", "where_an_environment_is_unseen_only_what_is_extracted_goes"
        ),
    ),
    Mutant(
        "an archive is had again from where another one with the same end is",
        "clean/archives.py",
        'package.url.endswith(f"/{name}")',
        "package.url.endswith(name)",
        by("unit/clean/test_archives", "the_package_extracted_from_it_says_where_it_is_from"),
    ),
    Mutant(
        "where an archive is from is what urls.txt said first",
        "clean/archives.py",
        '{url.rpartition("/")[2]: url for url in known}',
        '{url.rpartition("/")[2]: url for url in reversed(known)}',
        by("unit/clean/test_archives", "where_an_archive_is_from_is_what_urls_txt_said_last"),
    ),
    Mutant(
        "--copied lets the only archive of a recorded package go",
        "clean/archives.py",
        'if f"{dist_of(extracted)}.json" in self._recorded:',
        'if f"{dist_of(extracted)}.json" in self._recorded and Verdict.RECORDED not in allowed:',
        by("unit/clean/test_archives", "what_is_recorded_needs_its_archive_unless_it_is_extracted"),
    ),
    Mutant(
        "a cache that is not named is cleaned beside those that are",
        "clean/permissions.py",
        ('        elif named:\n            reason = "it is not named with --cache"\n'),
        "",
        by("unit/clean/test_permissions", "only_what_is_named_is_cleaned"),
    ),
    Mutant(
        "the administrator cleans where a group can write",
        "clean/permissions.py",
        "_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH",
        "_WRITABLE_BY_OTHERS = stat.S_IWOTH",
        by("unit/clean/test_permissions", "the_administrator_leaves_alone_where_others_can_write"),
    ),
    Mutant(
        "a cache that is named is written to whether it can be or not",
        "clean/permissions.py",
        "if is_named(cache, named):\n            reason = _obstacle(cache)",
        'if is_named(cache, named):\n            reason = ""',
        by(
            "unit/clean/test_permissions",
            "a_cache_that_cannot_be_written_is_closed_even_if_it_is_named",
        ),
    ),
    Mutant(
        "a trial link frees its inode while others are there",
        "clean/trial_links.py",
        "if links[inode] == status.st_nlink\n",
        "if links[inode]\n",
        by("unit/clean/test_planner", "a_trial_link_frees_its_inode_only_where_it_is_the_last"),
    ),
    Mutant(
        "what cannot go back is planned as if it did",
        "clean/planner.py",
        "without={*finishing, *self._kept_out(returning)}",
        "without=finishing",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "a left-over goes though a symbolic link leads to it",
        "clean/planner.py",
        "objection = self._leads_on(unit) or self.archives.recent(place.path)",
        "objection = self.archives.recent(place.path)",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "an archive goes though a symbolic link leads to it",
        "clean/planner.py",
        "self._leads_on(unit)\n                    or self.archives.objection",
        "self.archives.objection",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "an environment is asked by one of its paths only",
        "clean/planner.py",
        "return frozenset(found | aliases)",
        "return frozenset(found)",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "an archive is as old as its content",
        "clean/archives.py",
        "changed_ns = os.lstat(path).st_ctime_ns",
        "changed_ns = os.lstat(path).st_mtime_ns",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "an archive of which the age cannot be told is old",
        "clean/archives.py",
        "return self._terms.now_ns\n",
        "return 0\n",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "a cache of somebody else is open to who has a link to it",
        "clean/permissions.py",
        "status = os.stat(cache)",
        "status = os.lstat(cache)",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "--cache opens a cache that the settings keep closed",
        "clean/permissions.py",
        (
            "        if is_named(cache, read_only):\n"
            '            reason = "the setting hardlinks_read_only_caches names it"\n'
            "        elif is_named(cache, named):\n"
            "            reason = _obstacle(cache)\n"
        ),
        (
            "        if is_named(cache, named):\n"
            "            reason = _obstacle(cache)\n"
            "        elif is_named(cache, read_only):\n"
            '            reason = "the setting hardlinks_read_only_caches names it"\n'
        ),
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "what begins like a trial link is one",
        "clean/trial_links.py",
        "_PROBE.fullmatch(name)",
        "_PROBE.match(name)",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "a trial link that is just being made goes",
        "clean/trial_links.py",
        "return old and stat.S_ISREG(status.st_mode)",
        "return stat.S_ISREG(status.st_mode)",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "a folder that is called like a trial link is one",
        "clean/trial_links.py",
        "return old and stat.S_ISREG(status.st_mode)",
        "return old",
        by("clean_safety/test_edges"),
    ),
)
