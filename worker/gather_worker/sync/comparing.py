"""Whether the brain has just those notes that were read for the prompts; then MongoDB is not read again."""

from collections.abc import Sequence
from contextlib import aclosing

from gather_clients.notes.note import Note
from gather_worker.documents.note_node import is_node_of
from gather_worker.services.brain_nodes import BrainNodes


async def has_just(nodes: BrainNodes, notes: Sequence[Note]) -> bool:
    """Return whether each note, all of a project's, has its node, and each node its note.

    It reads no further than the first that differs: what is to be done then is for the synchronizer, which
    reads both stores itself, as is an id that two documents have. Raises BrainUnusable and BrainRejected.
    """
    missing = {note.id: note for note in notes}
    if len(missing) < len(notes):
        return False
    async with aclosing(nodes.pages()) as pages:
        async for page in pages:
            for node in page:
                note = missing.pop(node.id, None)
                if note is None or not is_node_of(note, node.content_hash, node.properties):
                    return False
    return not missing
