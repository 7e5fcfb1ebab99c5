"""Events as the log stores them."""

from gather_clients.stored_event import StoredEvent, read_message
from gather_contracts.events import Event


def stored(event: Event) -> StoredEvent:
    """Return the event as it is read from a project's log; one without a place is the first."""
    if not event.offset:
        event = event.model_copy(update={"offset": 1, "epoch": "e1"})
    return read_message(event.model_dump_json().encode(), event.project_id)
