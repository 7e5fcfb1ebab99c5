"""What can go wrong, split by what the caller can do about it.

OperatorError
├── NotLeading                this replica does not hold the Lease: it must not write
└── CmsUnavailable            the CMS did not answer or answered wrongly: ask again later
ClusterError                  the Kubernetes API did not do what was asked (kube_api.cluster_errors)
└── Refused
    └── StatusRefused         it was a run's status: the run must not go on unseen
"""

from typing import Final

from gather_clients.kube_api.cluster_errors import ClusterError, Refused


class OperatorError(Exception):
    """Base of all errors that the operator expects."""

    retry_after_s: float | None = None
    """For how long who refused wants to be left alone, if it said so."""


class StatusRefused(Refused):
    """The API server does not take a run's status; nobody can see how the run stands."""


class NotLeading(OperatorError):  # noqa: N818
    """This replica does not hold the Lease, or not surely any more; what it decided it must not do."""


class CmsUnavailable(OperatorError):  # noqa: N818
    """The CMS did not answer or answered wrongly; ask again later, after `retry_after_s` if it is said."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


EXPECTED: Final = (OperatorError, ClusterError)
"""After which a pass or a loop goes on later; each has `retry_after_s`."""
