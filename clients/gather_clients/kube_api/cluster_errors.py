"""What can go wrong with the Kubernetes API, split by what the caller can do about it.

ClusterError              the Kubernetes API did not do what was asked
├── ClusterUnavailable    no usable answer: try again later
│   └── AnswerTooLong     more bytes than are taken: ask for less at once
├── Conflict              somebody else wrote first: read again, decide again
│   └── AlreadyExists     an object of that name exists
├── Missing               the object does not exist
└── Refused               the request itself is wrong or forbidden: trying again soon will not help
"""


class ClusterError(Exception):
    """The Kubernetes API did not do what was asked."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        """`retry_after_s` is for how many seconds the API server asks to be left alone, if it says so."""
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ClusterUnavailable(ClusterError):  # noqa: N818 - a state, said as one
    """The API server gave no usable answer; try again later."""


class AnswerTooLong(ClusterUnavailable):
    """The answer has more bytes than are taken; ask for fewer objects at once."""


class Conflict(ClusterError):  # noqa: N818
    """Another writer was first; read again and decide again."""


class AlreadyExists(Conflict):
    """An object of that name exists already."""


class Missing(ClusterError):  # noqa: N818
    """The object does not exist."""


class Refused(ClusterError):  # noqa: N818
    """The request is invalid or forbidden; somebody has to change something first."""
