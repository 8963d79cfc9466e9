"""Mistakes in what decides who uses a package."""

from __future__ import annotations

from tests.clean_safety.mutants.mutant import Mutant, by

MUTANTS = (
    Mutant(
        "a package with links from outside counts as unused",
        "analysis/verdicts.py",
        "PackageUse(index, used, index in outside)",
        "PackageUse(index, used, bool(used) and index in outside)",
        by("unit/analysis/test_verdicts", "a_link_that_was_not_seen_is_of_somebody_outside"),
    ),
    Mutant(
        "a package from the future is old",
        "analysis/verdicts.py",
        "elif age_ns < self._terms.grace_ns:",
        "elif 0 <= age_ns < self._terms.grace_ns:",
        by(
            "unit/analysis/test_verdicts",
            "a_package_is_recent_until_the_grace_has_passed_since_either_was_written",
        ),
    ),
    Mutant(
        "the grace ends a nanosecond early",
        "analysis/verdicts.py",
        "elif age_ns < self._terms.grace_ns:",
        "elif age_ns < self._terms.grace_ns - 1:",
        by(
            "unit/analysis/test_verdicts",
            "a_package_is_recent_until_the_grace_has_passed_since_either_was_written",
        ),
    ),
    Mutant(
        "a trial link of conda does not make a package recent",
        "analysis/verdicts.py",
        "age_ns = self._terms.now_ns - package.last_use_ns",
        "age_ns = self._terms.now_ns - (package.finished_ns or package.last_use_ns)",
        by("unit/analysis/test_verdicts", "a_probing_link_and_its_removal_make_a_package_recent"),
    ),
    Mutant(
        "a package that is not finished is done after the grace",
        "analysis/verdicts.py",
        "if package.finished_ns is None:",
        "if package.finished_ns is None and age_ns < self._terms.grace_ns:",
        by(
            "unit/analysis/test_verdicts",
            "a_package_without_a_record_of_its_origin_is_finished_if_rattler_has_locked_it",
        ),
    ),
    Mutant(
        "a package from any URL can be had again",
        "analysis/verdicts.py",
        'has_url = package.url.startswith(("http://", "https://"))',
        'has_url = "://" in package.url',
        by(
            "unit/analysis/test_verdicts",
            "a_package_can_be_had_again_by_its_archive_beside_it_or_by_a_url",
        ),
    ),
    Mutant(
        "links of one environment make the records of all others no evidence",
        "analysis/verdicts.py",
        "if (root, dist) in linked:",
        "if dist in {name for _, name in linked}:",
        by("unit/analysis/test_verdicts", "the_strongest_evidence_of_each_environment_is_named"),
    ),
    Mutant(
        "the beginning of an ignored path ignores another environment",
        "analysis/verdicts.py",
        "any(is_within(problem.path, path) for path in self.ignored)",
        "any(problem.path.startswith(path) for path in self.ignored)",
        by(
            "unit/analysis/test_verdicts",
            "a_place_that_could_not_be_looked_at_keeps_everything_until_it_is_ignored",
        ),
    ),
    Mutant(
        "one ignored environment ignores all",
        "analysis/verdicts.py",
        "self.unseen = tuple(problem for problem in unseen if terms.keep(problem))",
        "self.unseen = unseen if all(map(terms.keep, unseen)) else ()",
        by("unit/analysis/test_verdicts", "every_unseen_place_must_be_ignored"),
    ),
    Mutant(
        "a symbolic link that cannot be followed keeps nothing",
        "analysis/verdicts.py",
        "found += [problem for links in softlinks.values() for problem in links.unresolved]",
        "found += []",
        by(
            "unit/analysis/test_verdicts",
            "a_symbolic_link_that_cannot_be_followed_keeps_every_package",
        ),
    ),
    Mutant(
        "an unreadable folder of an environment keeps nothing",
        "analysis/verdicts.py",
        "if roots[problem.root].kind is RootKind.ENVIRONMENT",
        "if roots[problem.root].kind is RootKind.CACHE",
        by(
            "unit/analysis/test_verdicts",
            "a_folder_of_an_environment_that_cannot_be_read_keeps_every_package",
        ),
    ),
    Mutant(
        "what is recorded is not looked at any further",
        "analysis/verdicts.py",
        "if by_use and by_use[0] in (Verdict.LINKED, Verdict.SOFTLINKED):",
        "if by_use:",
        by("unit/analysis/test_verdicts", "every_objection_is_told_the_strongest_first"),
    ),
    Mutant(
        "an unreadable folder in a package keeps nothing",
        "analysis/verdicts.py",
        "if is_within(problem.path, path)\n",
        "if problem.path == path\n",
        by("unit/analysis/test_verdicts", "what_cannot_be_read_of_a_package_keeps_it_alone"),
    ),
    Mutant(
        "the weakest evidence of an environment counts",
        "analysis/verdicts.py",
        "users[index][root] = use",
        "users[index].setdefault(root, use)",
        by("unit/analysis/test_verdicts", "the_strongest_evidence_of_each_environment_is_named"),
    ),
    Mutant(
        "packages go with the first of the environments that share them",
        "analysis/verdicts.py",
        "and use.environments.keys() <= roots",
        "and use.environments.keys() & roots",
        by(
            "unit/analysis/test_verdicts",
            "packages_go_with_environments_that_nobody_else_shares_them_with",
        ),
    ),
    Mutant(
        "packages with links from outside go with their only environment",
        "analysis/verdicts.py",
        "if len(use.environments) == 1 and not use.outside and self._may_go(unit):",
        "if len(use.environments) == 1 and self._may_go(unit):",
        by(
            "unit/analysis/test_verdicts",
            "the_packages_of_each_environment_alone_are_those_of_it_as_a_set",
        ),
    ),
    Mutant(
        "only the first environment that records a package in two caches uses it",
        "analysis/verdicts.py",
        "by_name.setdefault(dist_of(inventory.units[index].path), set()).add(index)",
        "by_name.setdefault(dist_of(inventory.units[index].path), {index})",
        by("unit/analysis/test_verdicts", "a_record_uses_the_packages_of_its_name_in_every_cache"),
    ),
    Mutant(
        "a package with its origin in its name is not the one that is recorded",
        "analysis/verdicts.py",
        'return _ORIGIN.sub("", os.path.basename(home_of(package_path)))',
        "return os.path.basename(home_of(package_path))",
        by(
            "unit/analysis/test_verdicts", "a_package_with_its_origin_in_its_name_is_used_by_record"
        ),
    ),
    Mutant(
        "a record that cannot be read does not speak against --copied",
        "analysis/verdicts.py",
        (
            "                case PathProblem() as problem:\n"
            "                    found.append(problem)\n"
        ),
        "",
        by(
            "unit/clean/test_planner",
            "what_is_recorded_goes_unless_its_record_says_that_it_is_linked_or_says_nothing",
        ),
    ),
    Mutant(
        "a package in which an environment lies goes",
        "analysis/verdicts.py",
        "problems.append(PathProblem(path, HOLDS_ROOT))",
        "pass",
        by("unit/clean/test_planner", "nothing_goes_that_an_environment_or_a_cache_lies_in"),
    ),
    Mutant(
        "a package that a link only passes is not used by it",
        "analysis/symlinks.py",
        "        units |= self.units_at(path)\n        return target",
        "        return target",
        by(
            "unit/analysis/test_symlinks_indirect",
            "a_folder_on_the_way_that_is_a_link_in_a_package_is_a_hop",
        ),
    ),
    Mutant(
        "a link that may not be followed is taken for broken",
        "analysis/symlinks.py",
        "broken = isinstance(error, GONE) or error.errno in _NO_WAY",
        "broken = isinstance(error, GONE | PermissionError) or error.errno in _NO_WAY",
        by("unit/analysis/test_symlinks", "a_link_to_what_may_not_be_read_is_not_called_broken"),
    ),
    Mutant(
        "a cache inside a cache is looked for in the outer one",
        "analysis/symlinks.py",
        "self.roots.sort(key=lambda root: -len(root[0]))",
        "self.roots.sort(key=lambda root: len(root[0]))",
        by(
            "unit/analysis/test_symlinks",
            "a_package_in_a_cache_inside_a_cache_is_found_whichever_is_listed_first",
        ),
    ),
    Mutant(
        "a package that a path leaves again by .. is not passed",
        "analysis/symlinks.py",
        "                units |= self.units_at(current)\n",
        "",
        by(
            "unit/analysis/test_symlinks_indirect",
            "a_package_that_is_only_left_again_on_the_way_is_a_hop",
        ),
    ),
    Mutant(
        "a dangling link keeps nothing of what was moved aside",
        "analysis/symlinks.py",
        "if not dangling and not caches.leads_into_package(chain.units):",
        "if chain.end is None or not caches.leads_into_package(chain.units):",
        by(
            "unit/analysis/test_symlinks",
            "a_link_to_where_a_package_was_before_it_was_moved_aside_passes_it",
        ),
    ),
    Mutant(
        "of two at one place the one that is held is linked",
        "analysis/symlinks.py",
        "units.sort(key=lambda item: self.kinds[item[0]] is UnitKind.PACKAGE)",
        "units.sort(key=lambda item: self.kinds[item[0]] is not UnitKind.PACKAGE)",
        by(
            "unit/analysis/test_symlinks_indirect",
            "of_two_that_were_at_one_place_the_one_that_may_go_back_is_used",
        ),
    ),
    Mutant(
        "a root that cannot be resolved holds nothing",
        "analysis/symlinks.py",
        "                    self.unknown.append(name)\n",
        "                    continue\n",
        by(
            "clean_safety/test_unreadable",
            "a_path_that_cannot_be_resolved_never_makes_more_removable",
        ),
    ),
    Mutant(
        "a cache is not known where another mount shows it",
        "analysis/symlinks.py",
        "                    if index in self.others:\n",
        "                    if index not in self.others:\n",
        by(
            "unit/analysis/test_symlinks_indirect",
            "a_link_through_a_bind_mount_that_nobody_lists_is_followed",
        ),
    ),
    Mutant(
        "a link too deep to be followed keeps nothing",
        "analysis/symlinks.py",
        'return _Chain(units, error="its path is too long to be followed")',
        "return _Chain(units, broken=True)",
        by(
            "unit/analysis/test_symlinks_indirect",
            "a_link_too_deep_to_be_followed_keeps_every_package",
        ),
    ),
    Mutant(
        "a package can be had again by an archive that was given up",
        "analysis/verdicts.py",
        "(entry is not None and entry.stage is Stage.MOVING)",
        "entry is not None",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "a package can be had again by an archive in another cache",
        "analysis/verdicts.py",
        "not any(path + suffix in self._archives for suffix in TARBALL_SUFFIXES)",
        (
            "not any(\n"
            "            os.path.basename(path) + suffix in map(os.path.basename, self._archives)\n"
            "            for suffix in TARBALL_SUFFIXES\n"
            "        )"
        ),
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "what is on its way out has the record of what is in its place",
        "analysis/verdicts.py",
        "if (path := inventory.units[index].path) == home_of(path) or home_of(path) not in places",
        "if (path := inventory.units[index].path)",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "one environment with records stands for those whose conda-meta cannot be listed",
        "analysis/verdicts.py",
        "and index not in self._inventory.records",
        "and not self._inventory.records",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "only the first environment that records a package is asked for symbolic links",
        "analysis/verdicts.py",
        "for root in self.uses[unit].environments:",
        "for root in list(self.uses[unit].environments)[:1]:",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "what a running conda is about to link goes",
        "analysis/verdicts.py",
        "for lease in self._terms.living_leases(dist)[:1]:",
        "for lease in self._terms.living_leases(dist)[: age_ns < self._terms.grace_ns]:",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "only the first link through a folder passes what it leads through",
        "analysis/symlinks.py",
        "        units |= known[1]\n",
        "",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "a link over forty hops leads nowhere",
        "analysis/symlinks.py",
        "_MAX_HOPS = 40 ",
        "_MAX_HOPS = 38 ",
        by("clean_safety/test_edges"),
    ),
)
