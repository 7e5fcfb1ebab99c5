"""Where notes come from, for pages and exports; only where MongoDB is configured its driver is imported."""

from typing import TYPE_CHECKING

from pydantic import SecretStr

from gather_bridge.exports.export_slots import ExportSlots
from gather_bridge.exports.exporting import Exporter
from gather_bridge.metrics import Metrics
from gather_clients.configuration import ConfigurationError

if TYPE_CHECKING:
    from gather_bridge.exports.stored_notes import StoredNotes


class NotesSource:
    """What reads notes."""

    def __init__(self, stored: "StoredNotes", exporter: Exporter) -> None:
        self.stored = stored
        self.exporter = exporter

    async def close(self) -> None:
        """Close the connections."""
        await self.stored.close()


def open_notes(
    uri: SecretStr | None, timeout_s: float, exports_max: int, metrics: Metrics
) -> NotesSource | None:
    """Return where notes are read, None without an address; raises ConfigurationError."""
    if uri is None or not uri.get_secret_value():
        return None
    from gather_bridge.exports.stored_notes import StoredNotes  # noqa: PLC0415 - see above

    try:
        stored = StoredNotes(uri.get_secret_value(), timeout_s)
    except ValueError as error:
        raise ConfigurationError(str(error)) from None
    exporter = Exporter(uri.get_secret_value(), timeout_s, ExportSlots(exports_max), metrics)
    return NotesSource(stored, exporter)
