"""Mistakes in what is done in which order, and under which locks."""

from __future__ import annotations

from tests.clean_safety.mutants.mutant import Mutant, by

MUTANTS = (
    Mutant(
        "a package that is about to be linked is moved",
        "executor/recheck.py",
        "package.linked_ns != planned.linked_ns",
        "package.finished_ns != planned.finished_ns",
        by(
            "clean_safety/test_race",
            "a_package_that_is_about_to_be_linked_while_it_is_looked_at_is_not_moved",
        ),
    ),
    Mutant(
        "what changes quickest is asked first",
        "executor/recheck.py",
        (
            "self._recorded(removal)\n"
            "            or self._linked(removal)\n"
            "            or self._changed(removal.package, removal.path)"
        ),
        (
            "self._changed(removal.package, removal.path)\n"
            "            or self._recorded(removal)\n"
            "            or self._linked(removal)"
        ),
        by(
            "clean_safety/test_race",
            "a_package_that_is_about_to_be_linked_while_it_is_looked_at_is_not_moved",
        ),
    ),
    Mutant(
        "links of what was moved before count as somebody's",
        "executor/recheck.py",
        "(self._moved.get(path, path) for path in removal.partners)",
        "iter(removal.partners)",
        by(
            "clean_safety/test_crash",
            "what_an_undisturbed_run_leaves[packages_linked_to_each_other]",
        ),
    ),
    Mutant(
        "links to the last partner count instead of those to the package",
        "executor/recheck.py",
        "outside_inodes_by_root[0]",
        "outside_inodes_by_root[-1]",
        by(
            "clean_safety/test_crash",
            "killed_at_any_step_nothing_is_lost_and_the_next_runs_converge[packages_linked_to_each_other-kill_before]",
        ),
    ),
    Mutant(
        "the first plan has the last word",
        "executor/executor.py",
        "_move_aside(workers, replan)\n            for",
        "_move_aside(workers, lambda: plan)\n            for",
        by("clean_safety/test_unreadable", "nothing_that_is_used_meanwhile_goes"),
    ),
    Mutant(
        "what was moved aside stays there after Ctrl-C",
        "executor/executor.py",
        "        finally:\n",
        "        else:\n",
        by(
            "clean_safety/test_unreadable",
            "packages_used_when_they_are_moved_aside_are_back_after_ctrl_c",
        ),
    ),
    Mutant(
        "packages are given up before the second plan",
        "executor/executor.py",
        "        worker.move_aside()\n",
        "        worker.move_aside()\n        worker.give_up()\n",
        by("clean_safety/test_unreadable", "nothing_that_is_used_meanwhile_goes"),
    ),
    Mutant(
        "two cleans lock their caches in two orders",
        "executor/executor.py",
        "in sorted(by_cache.items()):",
        "in by_cache.items():",
        by("unit/executor/test_locks", "everybody_locks_several_caches_in_the_same_order"),
    ),
    Mutant(
        "another cache in the place of the one that was planned is cleaned",
        "executor/executor.py",
        "locked_quarantine(cache, folders, known)",
        "locked_quarantine(cache, folders)",
        by("clean_safety/test_attack", "nothing_outside_the_cache_is_touched_by_what_was_swapped"),
    ),
    Mutant(
        "what the second plan does not know goes",
        "executor/executor.py",
        "        if still is None:\n            objections",
        (
            "        if still is None and removal.path not in why:\n"
            "            continue\n"
            "        if still is None:\n"
            "            objections"
        ),
        by(
            "clean_safety/test_unreadable",
            "packages_used_meanwhile_stay_whatever_cannot_be_looked_at",
        ),
    ),
    Mutant(
        "trial links go before the packages are checked",
        "executor/executor.py",
        "            _move_aside(workers, replan)\n            for",
        (
            "            for probe in plan.probes:\n"
            "                _remove_probe(probe, outcome)\n"
            "            _move_aside(workers, replan)\n"
            "            for"
        ),
        by(
            "clean_safety/test_crash",
            "killed_at_any_step_nothing_is_lost_and_the_next_runs_converge[trash-kill_before]",
        ),
    ),
    Mutant(
        "what another clean has moved aside is put back by the next",
        "executor/cache_executor.py",
        "entry.stage is Stage.MOVING and entry.run == self._outcome.run:",
        "entry.stage is Stage.MOVING:",
        by(
            "clean_safety/test_faults",
            "whichever_step_fails_it_is_said_and_the_next_run_converges[extracted_again_while_moved_aside]",
        ),
    ),
    Mutant(
        "where one was moved to is not noted",
        "executor/cache_executor.py",
        ("        self._checker.note_moved(removal.path, self.quarantine.path_of(entry))\n"),
        "",
        by(
            "clean_safety/test_crash",
            "what_an_undisturbed_run_leaves[packages_linked_to_each_other]",
        ),
    ),
    Mutant(
        "what cannot be removed is said to be gone",
        "executor/cache_executor.py",
        (
            "                self._outcome.problems.append(PathProblem(path, problem))\n"
            "            else:\n"
            "                self._outcome.removed.append(removal)\n"
        ),
        (
            "                self._outcome.problems.append(PathProblem(path, problem))\n"
            "            self._outcome.removed.append(removal)\n"
        ),
        by(
            "clean_safety/test_faults",
            "whichever_step_fails_it_is_said_and_the_next_run_converges[left_by_an_earlier_crash]",
        ),
    ),
    Mutant(
        "what cannot be removed is not said",
        "executor/cache_executor.py",
        ("                self._outcome.problems.append(PathProblem(path, problem))\n"),
        "                pass\n",
        by(
            "clean_safety/test_faults",
            "whichever_step_fails_it_is_said_and_the_next_run_converges[several_packages_in_a_cache]",
        ),
    ),
    Mutant(
        "a refusal is swallowed",
        "executor/cache_executor.py",
        "if error.problem not in self._outcome.problems:",
        "if self._outcome.problems and error.problem not in self._outcome.problems:",
        by(
            "clean_safety/test_faults",
            "whichever_step_fails_it_is_said_and_the_next_run_converges[several_packages_in_a_cache]",
        ),
    ),
    Mutant(
        "what cannot be given up stays aside until the end",
        "executor/cache_executor.py",
        (
            "                with self._noting_refusals():\n"
            "                    self.quarantine.back(entry)\n"
            "\n"
            "    def purge"
        ),
        "\n    def purge",
        by(
            "clean_safety/test_full_disk",
            "on_a_full_disk_a_clean_removes_as_many_as_the_quarantine_takes_and_the_next_the_rest",
        ),
    ),
    Mutant(
        "what is held is removed when the run ends",
        "executor/cache_executor.py",
        "self.quarantine.hold(entry, self._hold_until_s)",
        "self._given_up[removal] = self.quarantine.hold(entry, self._hold_until_s)",
        by("clean_safety/test_crash", "what_an_undisturbed_run_leaves[kept_for_a_while]"),
    ),
    Mutant(
        "what is to be finished is put back first",
        "executor/cache_executor.py",
        " and self.quarantine.path_of(entry) not in finishing:",
        ":",
        by(
            "clean_safety/test_crash",
            "killed_at_any_step_nothing_is_lost_and_the_next_runs_converge[extracted_again_while_moved_aside-kill_before]",
        ),
    ),
    Mutant(
        "what was given up counts as removed before it is",
        "executor/cache_executor.py",
        "        self._outcome.given_up.append(removal)\n",
        "        self._outcome.removed.append(removal)\n",
        by("clean_safety/test_unreadable", "nothing_that_is_used_meanwhile_goes"),
    ),
    Mutant(
        "a lock on a file that is no longer there is one",
        "executor/locks.py",
        "if _try_lock(file, descriptor) and _is_still_there(file, descriptor):",
        "if _try_lock(file, descriptor):",
        by("unit/executor/test_locks", "a_lock_on_a_file_that_is_no_longer_there_is_none"),
    ),
    Mutant(
        "another byte is locked than mamba locks",
        "executor/locks.py",
        "_MAMBA_BYTE = 21 ",
        "_MAMBA_BYTE = 0 ",
        by("unit/executor/test_locks", "while_we_hold_them_nobody_else_gets_one"),
    ),
    Mutant(
        "a lock of ours may be somebody else's",
        "executor/locks.py",
        "if file.ours_alone and status.st_uid != os.geteuid():",
        "if file.ours_alone and status.st_uid != os.geteuid() != 0:",
        by("clean_safety/test_attack", "a_lock_of_ours_that_is_somebody_elses_is_refused"),
    ),
    Mutant(
        "the lock of a rattler in a folder is let go at once",
        "executor/locks.py",
        "stack.enter_context(locked([theirs]))",
        "locked([theirs]).__enter__()",
        by(
            "unit/executor/test_locks", "the_lock_of_a_rattler_in_a_folder_of_the_cache_is_held_too"
        ),
    ),
    Mutant(
        "what is no regular file is locked",
        "executor/locks.py",
        "if not stat.S_ISREG(status.st_mode):",
        "if stat.S_ISDIR(status.st_mode):",
        by("clean_safety/test_attack", "what_is_no_lock_file_is_refused_at_once[pkgs.lock-pipe]"),
    ),
    Mutant(
        "what cannot be looked at in the last moment has no links",
        "executor/recheck.py",
        "if problem.kind is not ProblemKind.REPEATED:",
        "if problem.kind is ProblemKind.REPEATED:",
        by("unit/executor/test_quarantine"),
    ),
    Mutant(
        "links are not counted again",
        "executor/recheck.py",
        "            or self._linked(removal)\n",
        "",
        by("unit/executor/test_quarantine"),
    ),
    Mutant(
        "records are not looked for again",
        "executor/recheck.py",
        "self._recorded(removal)\n            or self._linked",
        "self._linked",
        by("unit/executor/test_quarantine"),
    ),
    Mutant(
        "a record that was there before counts as new",
        "executor/recheck.py",
        "if prefix not in removal.recorded_by and os.path",
        "if os.path",
        by("clean_safety/test_edges"),
    ),
    Mutant(
        "the second plan is made once, though what goes back leads on to more",
        "executor/executor.py",
        "while moved := [",
        "if moved := [",
        by("unit/executor/test_quarantine"),
    ),
    Mutant(
        "a trial link while a package is away is not noticed",
        "executor/executor.py",
        "still.package is None or still.package.linked_ns != removal.package.linked_ns",
        "still.package is None",
        by("unit/executor/test_quarantine"),
    ),
    Mutant(
        "archives go before their packages are checked",
        "executor/executor.py",
        (
            "            _move_aside(workers, replan)\n"
            "            for worker in workers:\n"
            "                worker.give_up()\n"
            "            for worker in workers:\n"
            "                worker.unlink()\n"
        ),
        (
            "            for worker in workers:\n"
            "                worker.unlink()\n"
            "            _move_aside(workers, replan)\n"
            "            for worker in workers:\n"
            "                worker.give_up()\n"
        ),
        by("unit/executor/test_quarantine"),
    ),
    Mutant(
        "what an earlier run gave up is taken up though another clean has it",
        "executor/cache_executor.py",
        "if entry is not None and entry in self.quarantine.entries():",
        "if entry is not None:",
        by("unit/executor/test_quarantine"),
    ),
)
