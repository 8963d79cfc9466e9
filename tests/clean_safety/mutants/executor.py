"""Mistakes in the steps of a clean: locks, checks, moves and removals, and their order."""

from __future__ import annotations

from tests.clean_safety.mutants.mutant import Mutant, by

MUTANTS = (
    Mutant(
        "a package that is about to be linked is moved",
        "executor/recheck.py::_changed",
        "package.linked_ns != planned.linked_ns",
        "package.finished_ns != planned.finished_ns",
        by(
            "clean_safety/test_race",
            "a_package_that_is_linked_during_its_check_is_not_moved",
        ),
    ),
    Mutant(
        "the check that changes soonest comes first",
        "executor/recheck.py::reason_to_keep",
        """
            (
                self._recorded(removal)
                or self._linked(removal)
                or self._changed(removal.package, removal.path)
            )
        """,
        """
            (
                self._changed(removal.package, removal.path)
                or self._recorded(removal)
                or self._linked(removal)
            )
        """,
        by(
            "clean_safety/test_race",
            "a_package_that_is_linked_during_its_check_is_not_moved",
        ),
    ),
    Mutant(
        "links of packages that were moved before count as foreign",
        "executor/recheck.py::_linked",
        "(self._moved.get(path, path) for path in removal.partners)",
        "iter(removal.partners)",
        by(
            "clean_safety/test_crash",
            "an_undisturbed_run_leaves_what_the_scenario_lists[packages_linked_to_each_other]",
        ),
    ),
    Mutant(
        "links to the last partner count instead of those to the package",
        "executor/recheck.py::_linked",
        "Usage(inventory).outside_inodes_by_root[0]",
        "Usage(inventory).outside_inodes_by_root[-1]",
        by(
            "clean_safety/test_crash",
            "after_a_kill_at_any_step_nothing_is_lost_and_the_next_runs_converge[packages_linked_to_each_other-kill_before]",
        ),
    ),
    Mutant(
        "packages stay in the quarantine after Ctrl-C",
        "executor/executor.py::execute_removals",
        """
            try:
                ...
            except OSError as error:
                ...
            finally:
                ...
        """,
        """
            try:
                ...
            except OSError as error:
                ...
            else:
                ...
        """,
        by(
            "clean_safety/test_unreadable",
            "packages_used_while_moved_aside_are_back_after_ctrl_c",
        ),
    ),
    Mutant(
        "packages are given up before the second plan",
        "executor/executor.py::_move_aside",
        "executor.move_aside()",
        """
            executor.move_aside()
            executor.give_up()
        """,
        by("clean_safety/test_unreadable", "packages_used_while_moved_aside_are_kept"),
    ),
    Mutant(
        "two cleans lock their caches in different orders",
        "executor/executor.py::_locked_quarantines",
        "sorted(by_cache.items())",
        "by_cache.items()",
        by("unit/executor/test_locks", "every_clean_locks_several_caches_in_the_same_order"),
    ),
    Mutant(
        "a cache that replaced the planned one is cleaned",
        "executor/executor.py::_locked_quarantines",
        "locked_quarantine(cache, folders, known)",
        "locked_quarantine(cache, folders)",
        by("clean_safety/test_attack", "nothing_outside_the_cache_changes_after_a_swap"),
    ),
    Mutant(
        "trial links go before the packages are checked",
        "executor/executor.py::execute_removals",
        """
            _move_aside(executors, reasons_to_keep)
            for executor in executors:
                executor.give_up()
            for executor in executors:
                executor.unlink()
            for trial_link in plan.trial_links:
                ...
        """,
        """
            for trial_link in plan.trial_links:
                ...
            _move_aside(executors, reasons_to_keep)
            for executor in executors:
                executor.give_up()
            for executor in executors:
                executor.unlink()
        """,
        by("unit/executor/test_executor", "trial_links_are_kept_if_the_packages_cannot_be_checked"),
    ),
    Mutant(
        "a clean puts back packages that another clean moved aside",
        "executor/cache_executor.py::put_the_rest_back",
        "entry.stage is Stage.MOVING and entry.run == self._outcome.run",
        "entry.stage is Stage.MOVING",
        by("unit/executor/test_executor", "a_package_that_cannot_move_back_is_reported_once"),
    ),
    Mutant(
        "the new place of a package is not noted",
        "executor/cache_executor.py::move_aside",
        "self._checker.note_moved(removal.path, self.quarantine.path_of(entry))",
        "",
        by(
            "clean_safety/test_crash",
            "an_undisturbed_run_leaves_what_the_scenario_lists[packages_linked_to_each_other]",
        ),
    ),
    Mutant(
        "a package that cannot be removed is reported as removed",
        "executor/cache_executor.py::purge",
        """
            with self._noting_refusals():
                self.quarantine.purge(entry, self._outcome.add_freed)
                self._outcome.removed.append(removal)
        """,
        """
            with self._noting_refusals():
                self.quarantine.purge(entry, self._outcome.add_freed)
            self._outcome.removed.append(removal)
        """,
        by(
            "clean_safety/test_faults",
            "a_failed_step_is_reported_and_the_next_run_converges[left_by_an_earlier_crash]",
        ),
    ),
    Mutant(
        "a package that cannot be removed is not reported",
        "executor/cache_executor.py::purge",
        """
            with self._noting_refusals():
                self.quarantine.purge(entry, self._outcome.add_freed)
                self._outcome.removed.append(removal)
        """,
        """
            with noting_refusals([]), naming_path(self.quarantine.cache):
                self.quarantine.purge(entry, self._outcome.add_freed)
                self._outcome.removed.append(removal)
        """,
        by(
            "clean_safety/test_faults",
            "a_failed_step_is_reported_and_the_next_run_converges[several_packages_in_a_cache]",
        ),
    ),
    Mutant(
        "a refusal is not reported",
        "executor/errors.py::noting_refusals",
        "error.problem not in problems",
        "problems and error.problem not in problems",
        by(
            "clean_safety/test_faults",
            "a_failed_step_is_reported_and_the_next_run_converges[several_packages_in_a_cache]",
        ),
    ),
    Mutant(
        "a package that cannot be given up stays in the quarantine until the end",
        "executor/cache_executor.py::give_up",
        """
            self._outcome.problems.append(error.problem)
            with self._noting_refusals():
                self.quarantine.back(entry)
        """,
        "self._outcome.problems.append(error.problem)",
        by(
            "clean_safety/test_full_disk",
            "a_full_disk_is_cleaned_in_several_runs_if_the_quarantine_is_full",
        ),
    ),
    Mutant(
        "a held package is removed at the end of the run",
        "executor/cache_executor.py::give_up",
        """
            self.quarantine.hold(entry, self._hold_until_s)
            self._outcome.held.append(removal)
        """,
        """
            self._given_up[removal] = self.quarantine.hold(entry, self._hold_until_s)
            self._outcome.held.append(removal)
        """,
        by(
            "clean_safety/test_crash",
            "an_undisturbed_run_leaves_what_the_scenario_lists[kept_for_a_while]",
        ),
    ),
    Mutant(
        "a package to be finished is put back first",
        "executor/cache_executor.py::heal",
        "entry.stage is Stage.MOVING and self.quarantine.path_of(entry) not in finishing",
        "entry.stage is Stage.MOVING",
        by(
            "clean_safety/test_crash",
            "after_a_kill_at_any_step_nothing_is_lost_and_the_next_runs_converge[extracted_again_while_moved_aside-kill_before]",
        ),
    ),
    Mutant(
        "a package that was given up already counts as removed",
        "executor/cache_executor.py::_give_up",
        "self._outcome.committed.append(removal)",
        "self._outcome.removed.append(removal)",
        by("clean_safety/test_unreadable", "packages_used_while_moved_aside_are_kept"),
    ),
    Mutant(
        "a lock on a deleted file counts",
        "executor/locks.py::_take",
        "_try_lock(file, handle) and _is_in_place(file, handle)",
        "_try_lock(file, handle)",
        by("unit/executor/test_locks", "a_lock_on_a_deleted_file_does_not_count"),
    ),
    Mutant(
        "the lock is on another byte than mamba's",
        "executor/locks.py",
        "_MAMBA_BYTE = 21",
        "_MAMBA_BYTE = 0",
        by("unit/executor/test_locks", "no_other_process_gets_a_lock_that_a_clean_holds"),
    ),
    Mutant(
        "a lock of ours may belong to another user",
        "executor/locks.py::_check",
        "file.is_private and status.owner != fs.current_user()",
        "file.is_private and status.owner != fs.current_user() != 0",
        by("clean_safety/test_attack", "a_private_lock_file_of_another_user_is_refused"),
    ),
    Mutant(
        "the rattler lock in a folder is released at once",
        "executor/locks.py::locked_quarantine",
        "stack.enter_context(locked([LockFile(path, name, directory)]))",
        "locked([LockFile(path, name, directory)]).__enter__()",
        by("unit/executor/test_locks", "a_rattler_lock_in_a_folder_of_the_cache_is_held_too"),
    ),
    Mutant(
        "a file that is not regular is locked",
        "executor/locks.py::_check",
        "not status.is_regular",
        "status.is_directory",
        by(
            "clean_safety/test_attack",
            "a_lock_file_that_is_not_a_regular_file_is_refused_at_once[pkgs.lock-pipe]",
        ),
    ),
    Mutant(
        "a package that cannot be read at the last moment has no links",
        "executor/recheck.py::_linked",
        "problem.kind is not ProblemKind.REPEATED",
        "problem.kind is ProblemKind.REPEATED",
        by("unit/executor/test_recheck", "a_package_that_cannot_be_checked_again_is_not_moved"),
    ),
    Mutant(
        "links are not counted again",
        "executor/recheck.py::reason_to_keep",
        """
            (
                self._recorded(removal)
                or self._linked(removal)
                or self._changed(removal.package, removal.path)
            )
        """,
        "self._recorded(removal) or self._changed(removal.package, removal.path)",
        by(
            "unit/executor/test_recheck",
            "a_change_since_the_plan_is_seen_before_a_package_is_moved",
        ),
    ),
    Mutant(
        "records are not looked for again",
        "executor/recheck.py::reason_to_keep",
        """
            (
                self._recorded(removal)
                or self._linked(removal)
                or self._changed(removal.package, removal.path)
            )
        """,
        "self._linked(removal) or self._changed(removal.package, removal.path)",
        by(
            "unit/executor/test_recheck",
            "a_change_since_the_plan_is_seen_before_a_package_is_moved",
        ),
    ),
    Mutant(
        "a record that was there before counts as new",
        "executor/recheck.py::_recorded",
        "prefix not in removal.recorded_by and os.path.lexists(os.path.join(prefix, record))",
        "os.path.lexists(os.path.join(prefix, record))",
        by("clean_safety/test_edge_cases"),
    ),
    Mutant(
        "the second plan is made only once, although packages that go back lead to more",
        "executor/executor.py::_move_aside",
        """
            while moved := ...:
                ...
        """,
        """
            if moved := ...:
                ...
        """,
        by(
            "unit/executor/test_executor",
            "a_package_that_goes_back_keeps_the_packages_that_it_links_to",
        ),
    ),
    Mutant(
        "archives go before their packages are checked",
        "executor/executor.py::execute_removals",
        """
            _move_aside(executors, reasons_to_keep)
            for executor in executors:
                executor.give_up()
            for executor in executors:
                executor.unlink()
        """,
        """
            for executor in executors:
                executor.unlink()
            _move_aside(executors, reasons_to_keep)
            for executor in executors:
                executor.give_up()
        """,
        by("unit/executor/test_executor", "an_archive_is_kept_if_its_package_cannot_be_checked"),
    ),
    Mutant(
        "a clean takes up a package that another clean has finished",
        "executor/cache_executor.py::heal",
        "finished is not None and finished in self.quarantine.entries()",
        "finished is not None",
        by("unit/executor/test_executor", "a_removal_that_another_clean_finished_is_not_a_problem"),
    ),
    Mutant(
        "a replaced package stays in the quarantine",
        "executor/quarantine.py::move",
        "self.back(entry)",
        "",
        by("clean_safety/test_attack", "a_replaced_package_or_archive_is_not_moved_or_removed"),
    ),
    Mutant(
        "a replaced package counts as the one that was checked",
        "executor/quarantine.py::move",
        "fs.status_at(entry.name, self.handle).identity != identity",
        "fs.status_at(entry.name, self.handle).identity[0] != identity[0]",
        by("clean_safety/test_attack", "a_replaced_package_or_archive_is_not_moved_or_removed"),
    ),
    Mutant(
        "a folder on the way to a package may be a symbolic link",
        "executor/quarantine.py::parent",
        "below = fs.open_directory(folder, handle)",
        'below = fs.open_root(f"/proc/self/fd/{handle}/{folder}")',
        by("clean_safety/test_attack", "nothing_outside_the_cache_changes_after_a_swap"),
    ),
    Mutant(
        "a mount on the way to a package is part of the cache",
        "executor/quarantine.py::parent",
        "mount != self._mount",
        "mount[0] != self._mount[0]",
        by("clean_safety/test_mounts", "nothing_under_a_mount_is_removed"),
    ),
    Mutant(
        "a group may write to the quarantine",
        "filesystem/protocol.py::is_writable_by_others",
        "stat.S_IWGRP | stat.S_IWOTH",
        "stat.S_IWOTH",
        by(
            "clean_safety/test_attack",
            "a_foreign_or_unsafe_quarantine_is_refused[writable by a group]",
        ),
    ),
    Mutant(
        "a replaced archive is removed",
        "executor/quarantine.py::unlink",
        "status.identity != identity or status.is_directory",
        "status.is_directory",
        by("clean_safety/test_attack", "a_replaced_package_or_archive_is_not_moved_or_removed"),
    ),
    Mutant(
        "a quarantine that was there before is removed",
        "executor/quarantine.py::remove_if_empty",
        "self.made and set(fs.list_names(self.handle)) <= {LOCK_NAME}",
        "set(fs.list_names(self.handle)) <= {LOCK_NAME}",
        by("clean_safety/test_full_disk", "a_full_disk_can_be_cleaned_if_the_quarantine_exists"),
    ),
    Mutant(
        "a replaced cache is opened",
        "executor/quarantine.py::opened_quarantine",
        "known is not None and status.identity != known",
        "known is not None and status.identity[0] != known[0]",
        by("clean_safety/test_attack", "nothing_outside_the_cache_changes_after_a_swap"),
    ),
    Mutant(
        "root takes the quarantine of any user",
        "executor/quarantine.py::_reason_against",
        "quarantine.owner != fs.current_user()",
        "quarantine.owner != fs.current_user() != 0",
        by(
            "clean_safety/test_attack", "a_foreign_or_unsafe_quarantine_is_refused[somebody else's]"
        ),
    ),
    Mutant(
        "a folder that was swapped for a symbolic link is emptied",
        "filesystem/linux.py::open_directory",
        "os.open(name, _ROOT | _NO_FOLLOW, dir_fd=parent)",
        "os.open(name, _ROOT, dir_fd=parent)",
        by(
            "clean_safety/test_attack",
            "nothing_outside_the_cache_changes_after_a_swap_right_before_a_call",
        ),
    ),
    Mutant(
        "symbolic links in a removed package are followed",
        "executor/rmtree.py::_remove_entry",
        "status = fs.status_at(entry, parent)",
        'status = fs.status(f"/proc/self/fd/{parent}/{entry}", follow_symlinks=True)',
        by("clean_safety/test_attack", "symbolic_links_in_a_removed_package_are_not_followed"),
    ),
    Mutant(
        "a bind mount of the same filesystem is emptied",
        "executor/rmtree.py::_is_mounted",
        "fs.mount_of(handle) != self._mount",
        "fs.mount_of(handle)[0] != self._mount[0]",
        by("clean_safety/test_mounts", "nothing_under_a_mount_is_removed"),
    ),
    Mutant(
        "a file that must not be removed is not reported",
        "executor/rmtree.py::_remove_entry",
        "FileNotFoundError",
        "(FileNotFoundError, PermissionError)",
        by(
            "clean_safety/test_faults",
            "a_failed_step_is_reported_and_the_next_run_converges[several_packages_in_a_cache]",
        ),
    ),
    Mutant(
        "deep folders stay",
        "executor/rmtree.py::_remove_entry",
        "self._waiting.append(self._move_up(parent, entry))",
        "self._move_up(parent, entry)",
        by(
            "clean_safety/test_crash",
            "an_undisturbed_run_leaves_what_the_scenario_lists[deep_folders]",
        ),
    ),
    Mutant(
        "an archive that goes back replaces a new one",
        "executor/quarantine.py::_put_back",
        """
            if identity_at(name, parent) != status.identity:
                fs.link(entry.name, self.handle, name, parent)
            fs.unlink(entry.name, self.handle)
        """,
        "fs.rename(entry.name, self.handle, name, parent)",
        by("unit/executor/test_quarantine", "an_entry_that_goes_back_replaces_nothing"),
    ),
    Mutant(
        "an archive with other links frees its bytes",
        "executor/quarantine.py::unlink",
        """
            with self.parent(relative) as (parent, name), naming_path(path):
                ...
            return status.disk_bytes if status.link_count == 1 else 0
        """,
        """
            with self.parent(relative) as (parent, name), naming_path(path):
                ...
            return status.disk_bytes
        """,
        by("unit/executor/test_executor", "a_file_with_other_links_frees_nothing[archive]"),
    ),
    Mutant(
        "a trial link frees the bytes of its package",
        "executor/quarantine.py::unlink_trial_link",
        """
            with naming_path(path), closing(fs.open_own_directory(folder)) as parent:
                ...
            return status.disk_bytes if status.link_count == 1 else 0
        """,
        """
            with naming_path(path), closing(fs.open_own_directory(folder)) as parent:
                ...
            return status.disk_bytes
        """,
        by("unit/executor/test_executor", "a_file_with_other_links_frees_nothing[trial link]"),
    ),
    Mutant(
        "the lock of a quarantine that still holds packages is removed",
        "executor/quarantine.py::remove_if_empty",
        "self.made and set(fs.list_names(self.handle)) <= {LOCK_NAME}",
        "self.made",
        by(
            "unit/executor/test_quarantine",
            "the_lock_file_is_kept_while_the_quarantine_has_entries",
        ),
    ),
    Mutant(
        "a new quarantine counts as the locked one",
        "executor/quarantine.py::is_in_place",
        "there == fs.status_of(self.handle).identity",
        "there is not None",
        by("unit/executor/test_quarantine", "a_quarantine_that_was_created_again_is_not_in_place"),
    ),
    Mutant(
        "a file with other links frees its bytes",
        "executor/rmtree.py::_remove_entry",
        "status.link_count == 1",
        "status.link_count",
        by(
            "unit/executor/test_executor",
            "a_file_with_other_links_frees_nothing[left-over]",
            "a_left_over_folder_frees_only_files_without_other_links",
        ),
    ),
)
