"""Events as the log stores them."""

from gather_clients.outbox.outbox_entries import Waiting
from gather_clients.stored_event import StoredEvent, read_message
from gather_contracts.events import Event


def stored(event: Event) -> StoredEvent:
    """Return the event as it is read from a project's log; one without a place is the first."""
    if not event.offset:
        event = event.model_copy(update={"offset": 1, "epoch": "e1"})
    return read_message(event.model_dump_json().encode(), event.project_id)


def waiting(event: Event, url: str, written_s: float = 0.0) -> Waiting:
    """Return the event as a source hands it to the dispatcher."""
    found = stored(event)
    return Waiting(
        id=found.id or f"{found.epoch}-{found.offset}",
        run_uid=found.run_uid,
        project_id=found.project_id,
        url=url,
        type=found.type,
        text=found.text,
        written_s=written_s,
    )
