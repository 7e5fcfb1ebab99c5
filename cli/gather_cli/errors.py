"""What can go wrong, each with the exit code that scripts see and one line that names the fix.

CliError
├── Unreachable     6   no kubeconfig, no answer: look at the way to the cluster
├── Forbidden       5   the cluster or the bridge refuses who asks
├── NotFound        4   no such run, no such department, no CRD
├── Refused         7   the API server does not take what was sent
│   └── AlreadyThere    an object of that name exists
├── GoneVersion     6   a watch must begin again (never shown)
└── StillRunning  124   the time given is over, as with timeout(1)
"""

from enum import IntEnum


class Exit(IntEnum):
    """How the process ends."""

    DONE = 0
    """What was asked for is done; of a run that was waited for: Succeeded."""
    FAILED = 1
    """The run ended as Failed; doctor: something is wrong; anything else that has no code of its own."""
    USAGE = 2
    """The command line is wrong."""
    CANCELLED = 3
    """The run was cancelled, or deleted, while it was waited for."""
    NOT_FOUND = 4
    """No such run or department, or the cluster has no GatherRuns."""
    FORBIDDEN = 5
    """The cluster or the bridge refuses who asks."""
    UNREACHABLE = 6
    """No way to the cluster or to the bridge."""
    REFUSED = 7
    """The API server does not take what was sent."""
    STILL_RUNNING = 124
    """--timeout is over and the run has not ended."""
    INTERRUPTED = 130
    """Ctrl-C."""
    READER_GONE = 141
    """Whoever read the output has closed it (128 + SIGPIPE)."""


class CliError(Exception):
    """Something that ends the command; the message is one line and names the fix."""

    exit_code = Exit.FAILED


class Unreachable(CliError):  # noqa: N818 - a state, said as one
    """There is no way to the API server or to the bridge."""

    exit_code = Exit.UNREACHABLE


class Forbidden(CliError):  # noqa: N818
    """Who asks may not do this."""

    exit_code = Exit.FORBIDDEN


class NotFound(CliError):  # noqa: N818
    """What was named does not exist."""

    exit_code = Exit.NOT_FOUND


class Refused(CliError):  # noqa: N818
    """The API server does not take it; something must be changed first."""

    exit_code = Exit.REFUSED


class AlreadyThere(Refused):
    """An object of that name exists."""


class GoneVersion(Unreachable):
    """The version that a watch was to go on from is too old."""


class StillRunning(CliError):  # noqa: N818
    """The time is over, and the run has not ended."""

    exit_code = Exit.STILL_RUNNING


class OutputLost(CliError):  # noqa: N818
    """What is shown has no place, as on a full disk."""


class ReaderGone(Exception):  # noqa: N818
    """Whoever read the output has closed it; nothing is wrong."""
