"""What can go wrong, split by what the caller can do about it.

BridgeError
├── TokensFileError       the tokens file cannot be used: correct it
├── PageDirError          the folder with what the run page serves of others lacks a file: correct the setting
├── SecretsFileError      the file of webhooks' secrets cannot be used: correct it
├── SocketRefused         the handshake is refused, with an HTTP status: correct the request, or try later
├── ClientGone            a client is no longer there: nothing to do
├── SubscriberTooSlow     a client does not keep up: close its socket; it may come back for what it missed
├── TaskRefused           a task's data can never work: correct the field that it names
├── NameTaken             a GatherRun of that name is not this task's: use another id
├── LeaseLost             another bridge may deliver by now: send nothing
└── DeliveryError         an event did not reach a webhook
    ├── DeliveryFailed    try again later
    └── UrlRefused        the URL itself can never be called: stop
"""

from typing import Literal

from gather_clients.configuration import ConfigurationError

RefusedWord = Literal[
    "invalid_request", "unauthorized", "forbidden", "origin_not_allowed", "no_project", "no_run", "not_found",
    "upgrade_required", "too_many_exports", "busy", "not_configured", "too_many_sockets", "unavailable",
]  # fmt: skip
"""Why a request is refused, for machines."""


class BridgeError(Exception):
    """Base of all errors that the bridge expects."""


class TokensFileError(BridgeError, ConfigurationError):
    """The tokens file is missing or malformed; the message holds none of its content."""


class PageDirError(BridgeError, ConfigurationError):
    """The folder with what the run page serves of others is missing, or lacks a file."""


class SecretsFileError(BridgeError, ConfigurationError):
    """The file of webhooks' secrets is malformed; the message holds none of its content."""


class SocketRefused(BridgeError):  # noqa: N818 - a state, said as one
    """The handshake is refused."""

    def __init__(
        self, status: int, error: RefusedWord, message: str, retry_after_s: int | None = None
    ) -> None:
        """`status` is HTTP's; `error` is a word for machines; `retry_after_s` None: as the status has it."""
        super().__init__(message)
        self.status = status
        self.error = error
        self.retry_after_s = retry_after_s


class ClientGone(BridgeError):  # noqa: N818
    """The client has closed its connection, or lost it."""


class SubscriberTooSlow(BridgeError):  # noqa: N818
    """The client does not take what it is sent."""


class TaskRefused(BridgeError):  # noqa: N818 - a state, said as one
    """A task's data can never work."""

    def __init__(self, field: str, reason: str) -> None:
        """`field` is as its sender wrote it; "" where all of it is meant."""
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason


class NameTaken(BridgeError):  # noqa: N818
    """A GatherRun has the name that this task's would have."""


class LeaseLost(BridgeError):  # noqa: N818
    """Another bridge may deliver webhooks by now."""


class DeliveryError(BridgeError):
    """An event did not reach a webhook."""


class DeliveryFailed(DeliveryError):  # noqa: N818
    """The receiver did not take the event this time."""


class UrlRefused(DeliveryError):  # noqa: N818
    """The URL breaks a rule of its own, whatever its host resolves to."""
