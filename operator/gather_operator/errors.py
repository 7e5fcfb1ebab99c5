"""What can go wrong, split by what the caller can do about it.

OperatorError
├── ClusterError              the Kubernetes API did not do what was asked
│   ├── ClusterUnavailable    no usable answer: try again later
│   │   └── AnswerTooLong     more bytes than are taken: ask for less at once
│   ├── Conflict              somebody else wrote first: read again, decide again
│   │   └── AlreadyExists     an object of that name exists
│   ├── Missing               the object does not exist
│   └── Refused               the request itself is wrong or forbidden: trying again soon will not help
│       └── StatusRefused     it was a run's status: the run must not go on unseen
├── NotLeading                this replica does not hold the Lease: it must not write
└── CmsUnavailable            the CMS did not answer or answered wrongly: ask again later
"""


class OperatorError(Exception):
    """Base of all errors that the operator expects."""

    retry_after_s: float | None = None
    """For how long who refused wants to be left alone, if it said so."""


class ClusterError(OperatorError):
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


class StatusRefused(Refused):
    """The API server does not take a run's status; nobody can see how the run stands."""


class NotLeading(OperatorError):  # noqa: N818
    """This replica does not hold the Lease, or not surely any more; what it decided it must not do."""


class CmsUnavailable(OperatorError):  # noqa: N818
    """The CMS did not answer or answered wrongly; ask again later, after `retry_after_s` if it is said."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
