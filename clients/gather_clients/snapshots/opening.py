"""Opens the snapshots in MongoDB where that is configured; only then its driver is imported: 14 MB."""

from typing import TYPE_CHECKING

from pydantic import SecretStr

from gather_clients.configuration import ConfigurationError
from gather_clients.event_log import EventLogUnavailable

if TYPE_CHECKING:
    from gather_clients.snapshots.mongodb_snapshots import MongoSnapshots


class SnapshotsUnavailable(Exception):  # noqa: N818 - named for what the caller does
    """MongoDB did not answer in time, or refused: do without."""


def why_unavailable(error: Exception) -> str:
    """Return in words why snapshots are done without; of an error that is not ours only its kind."""
    is_ours = isinstance(error, SnapshotsUnavailable | EventLogUnavailable)
    return str(error) if is_ours else type(error).__name__


def open_snapshots(uri: SecretStr | None, timeout_s: float) -> "MongoSnapshots | None":
    """Return the snapshots in MongoDB, None without an address; raises ConfigurationError."""
    if uri is None or not uri.get_secret_value():
        return None
    from gather_clients.snapshots.mongodb_snapshots import MongoSnapshots  # noqa: PLC0415 - see above

    try:
        return MongoSnapshots(uri.get_secret_value(), timeout_s)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
