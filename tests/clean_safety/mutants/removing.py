"""Mistakes in what renames and removes."""

from __future__ import annotations

from tests.clean_safety.mutants.mutant import Mutant, by

MUTANTS = (
    Mutant(
        "what was replaced before it was moved stays aside",
        "executor/quarantine.py",
        "            self.back(entry)\n            raise",
        "            raise",
        by("clean_safety/test_attack", "only_what_was_looked_at_is_moved_or_removed"),
    ),
    Mutant(
        "what was replaced before it was moved is taken for what was looked at",
        "executor/quarantine.py",
        "replaced = self._identity(entry) != identity",
        "replaced = self._identity(entry)[0] != identity[0]",
        by("clean_safety/test_attack", "only_what_was_looked_at_is_moved_or_removed"),
    ),
    Mutant(
        "a folder on the way to a package may be a symbolic link",
        "executor/quarantine.py",
        "below = os.open(folder, _OPEN_BELOW, dir_fd=descriptor)",
        "below = os.open(folder, _OPEN, dir_fd=descriptor)",
        by("clean_safety/test_attack", "nothing_outside_the_cache_is_touched_by_what_was_swapped"),
    ),
    Mutant(
        "what is mounted on the way to a package is part of the cache",
        "executor/quarantine.py",
        "if mount != self._mount:",
        "if mount[0] != self._mount[0]:",
        by("clean_safety/test_mounts", "nothing_under_a_mount_is_removed"),
    ),
    Mutant(
        "a group may write to the quarantine",
        "executor/quarantine.py",
        "_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH",
        "_WRITABLE_BY_OTHERS = stat.S_IWOTH",
        by(
            "clean_safety/test_attack",
            "what_is_no_quarantine_of_ours_is_refused[writable by a group]",
        ),
    ),
    Mutant(
        "an archive that was replaced is removed",
        "executor/quarantine.py",
        "if (status.st_dev, status.st_ino) != identity or stat.S_ISDIR(status.st_mode):",
        "if stat.S_ISDIR(status.st_mode):",
        by("clean_safety/test_attack", "only_what_was_looked_at_is_moved_or_removed"),
    ),
    Mutant(
        "a quarantine that was there before is removed",
        "executor/quarantine.py",
        "if self.made and set(",
        "if set(",
        by("clean_safety/test_full_disk", "a_full_disk_can_be_cleaned_where_the_quarantine_is"),
    ),
    Mutant(
        "a cache that was replaced is opened",
        "executor/quarantine.py",
        "if known is not None and (status.st_dev, status.st_ino) != known:",
        "if known is not None and status.st_dev != known[0]:",
        by("clean_safety/test_attack", "nothing_outside_the_cache_is_touched_by_what_was_swapped"),
    ),
    Mutant(
        "the administrator takes anybody's quarantine",
        "executor/quarantine.py",
        "if quarantine.st_uid != os.geteuid():",
        "if quarantine.st_uid != os.geteuid() != 0:",
        by("clean_safety/test_attack", "what_is_no_quarantine_of_ours_is_refused[somebody else's]"),
    ),
    Mutant(
        "a folder that was swapped for a symbolic link is emptied",
        "executor/rmtree.py",
        '    | getattr(os, "O_NOFOLLOW", 0)\n',
        "",
        by(
            "clean_safety/test_attack",
            "nothing_outside_the_cache_is_touched_by_what_is_swapped_right_before_a_call",
        ),
    ),
    Mutant(
        "symbolic links in what is removed are followed",
        "executor/rmtree.py",
        "os.stat(entry, dir_fd=parent, follow_symlinks=False)",
        "os.stat(entry, dir_fd=parent)",
        by("clean_safety/test_attack", "symbolic_links_in_what_is_removed_are_not_followed"),
    ),
    Mutant(
        "what is bound from the same filesystem is emptied",
        "executor/rmtree.py",
        "if mount_of(descriptor) != self._mount:",
        "if mount_of(descriptor)[0] != self._mount[0]:",
        by("clean_safety/test_mounts", "nothing_under_a_mount_is_removed"),
    ),
    Mutant(
        "what may not be removed is no problem",
        "executor/rmtree.py",
        "            pass\n        except OSError as error:\n",
        (
            "            pass\n"
            "        except PermissionError:\n"
            "            pass\n"
            "        except OSError as error:\n"
        ),
        by(
            "clean_safety/test_faults",
            "whichever_step_fails_it_is_said_and_the_next_run_converges[several_packages_in_a_cache]",
        ),
    ),
    Mutant(
        "what lies deep stays",
        "executor/rmtree.py",
        "self._waiting.append(self._move_up(parent, entry))",
        "self._move_up(parent, entry)",
        by("clean_safety/test_crash", "what_an_undisturbed_run_leaves[deep_folders]"),
    ),
    Mutant(
        "an archive that goes back takes the place of a new one",
        "executor/quarantine.py",
        (
            "os.link(entry.name, name, src_dir_fd=source, dst_dir_fd=target,"
            " follow_symlinks=False)\n"
            "        os.unlink(entry.name, dir_fd=source)"
        ),
        "os.rename(entry.name, name, src_dir_fd=source, dst_dir_fd=target)",
        by("unit/executor/test_quarantine"),
    ),
    Mutant(
        "an archive with other links frees its bytes",
        "executor/quarantine.py",
        (
            "            os.unlink(name, dir_fd=parent)\n"
            "        return status.st_blocks * BLOCK_BYTES if status.st_nlink == 1 else 0"
        ),
        (
            "            os.unlink(name, dir_fd=parent)\n"
            "        return status.st_blocks * BLOCK_BYTES"
        ),
        by("unit/executor/test_quarantine"),
    ),
    Mutant(
        "a trial link frees the bytes of its package",
        "executor/quarantine.py",
        (
            "        raise RefusedError.of(path, error) from None\n"
            "    return status.st_blocks * BLOCK_BYTES if status.st_nlink == 1 else 0"
        ),
        (
            "        raise RefusedError.of(path, error) from None\n"
            "    return status.st_blocks * BLOCK_BYTES"
        ),
        by("unit/executor/test_quarantine"),
    ),
    Mutant(
        "the lock of a quarantine in which something waits is removed",
        "executor/quarantine.py",
        "if self.made and set(os.listdir(self.descriptor)) <= {OUR_LOCK}:",
        "if self.made:",
        by("unit/executor/test_quarantine"),
    ),
    Mutant(
        "a quarantine that was removed and made again is taken for the one that is locked",
        "executor/quarantine.py",
        "return os.path.samestat(there, os.fstat(self.descriptor))",
        "return stat.S_ISDIR(there.st_mode)",
        by("unit/executor/test_quarantine"),
    ),
    Mutant(
        "a file with other links frees its bytes",
        "executor/rmtree.py",
        "if status.st_nlink == 1:",
        "if status.st_nlink:",
        by("unit/executor/test_quarantine"),
    ),
)
