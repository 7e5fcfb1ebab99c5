"""Whether the brain has just those notes that were read for the prompts: by its answers, or by its nodes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import aclosing

from gather_clients.notes.note import Note
from gather_contracts.brain import ContextResponse
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


def agrees(earlier: ContextResponse | None, notes: Sequence[Note], previous: Iterable[str]) -> bool:
    """Return whether the brain's context is of just those notes, all of a project's; pure.

    Each department of `previous` has as many nodes as notes, and no node is shown that is no note. Their
    texts may differ.
    """
    offered = {} if earlier is None else earlier.context
    counts = Counter(note.department for note in notes)
    shown = {node.node_id for each in offered.values() for node in each.top_nodes}
    return shown <= {note.id for note in notes} and all(
        counts[slug] == (offered[slug].node_count if slug in offered else 0) for slug in previous
    )
