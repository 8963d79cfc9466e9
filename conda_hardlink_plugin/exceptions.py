"""What goes wrong in a way the user can mend: one sentence, what to do, and an exit code."""

from __future__ import annotations

from typing import ClassVar

from conda.exceptions import CondaError

from .formatting import printable

_REFUSALS_SAID = 4


class HardlinksError(CondaError):  # type: ignore[misc]  # conda's classes are untyped here
    """A sentence for the user; conda prints it, as JSON when asked to."""

    return_code: ClassVar[int] = 1

    def __init__(self, sentence: str) -> None:
        """Take the sentence as it is: conda would interpolate `%` in it."""
        super().__init__(printable(sentence))
        self.sentence = printable(sentence)

    def __str__(self) -> str:
        """Return the sentence."""
        return self.sentence


class NothingToReportError(HardlinksError):
    """There is neither a package cache nor an environment."""


class EnvironmentNotFoundError(HardlinksError):
    """An environment named on the command line is not there."""


class FolderNotFoundError(HardlinksError):
    """A folder named on the command line is not there, or is not a folder."""


class UnsupportedPlatformError(HardlinksError):
    """Directories cannot be read by descriptor here."""


class NotHeldError(HardlinksError):
    """Nothing is held by that name."""


class FormatError(HardlinksError):
    """A format has no place for what was asked for, or cannot be written here."""


class ReportNotReadError(HardlinksError):
    """A file is no report, or reports cannot be added up."""


class IndexNotClearedError(HardlinksError):
    """The index cannot be removed."""


class FileNotWrittenError(HardlinksError):
    """A file cannot be written where it is wanted."""


class SubjectNotFoundError(HardlinksError):
    """What is to be explained is not there, or not one thing."""


class CleanRefusedError(HardlinksError):
    """Nothing may be removed as things are."""

    def __init__(self, refusals: list[str]) -> None:
        """Take the reasons; the first few are said, a line each."""
        more = len(refusals) - _REFUSALS_SAID
        said = [printable(f"{refusal}.") for refusal in refusals[:_REFUSALS_SAID]]
        said += [f"And {more} more."] if more > 0 else []
        super().__init__(" ".join(said))
        self.sentence = "\n".join(said)


class WrongSettingError(HardlinksError):
    """A setting has a value that makes no sense."""


class CleanGuardedError(HardlinksError):
    """A `conda clean` would break an environment, and the user has asked to be kept from that."""


class StoppedError(HardlinksError):
    """The user pressed Ctrl-C."""

    return_code: ClassVar[int] = 130
