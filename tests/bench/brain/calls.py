"""The requests that are measured; texts are new unless a request is about those that are known."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gather_brain.words import sentences
from gather_contracts.brain import NODES_PAGE_MAX
from tests.bench.brain.seed import film_of, properties_of
from tests.bench.texts import NoteWriter

PREFIX: Final = "/api/v1"
CONTEXT_DEPARTMENTS: Final = 5
REPEATED_EVERY: Final = 5
"""One search in so many is for a seeded note in other words, the rest for new notes."""
SENTENCES_MAX: Final = 12
"""Of an item, as the brain takes them."""


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `texts` is what the model has to embed for it, if the brain remembers nothing."""

    method: str
    path: str
    body: bytes | None = None
    query: tuple[tuple[str, str], ...] = ()
    texts: tuple[str, ...] = ()
    departments: tuple[str, ...] = field(default=())


class Calls:
    """Makes requests; the same seed makes the same ones."""

    def __init__(self, seed: int, seeded: Sequence[str]) -> None:
        """`seeded` are texts of nodes that are there."""
        self._writer = NoteWriter(seed)
        self._film = film_of(NoteWriter(seed=1))
        self._seeded = seeded
        self._searches = 0
        self._batches = 0
        self._contexts = 0
        self._listings = 0

    @property
    def departments(self) -> tuple[str, ...]:
        """The departments that the projects have."""
        return self._writer.departments

    def note(self, department: str) -> str:
        """Return a note that was not sent before."""
        return self._writer.note(department, self._film)

    def batch(self, project: str, count: int) -> Call:
        """Write `count` new nodes of one department, as a worker does."""
        self._batches += 1
        department = self.departments[self._batches % len(self.departments)]
        texts = [self.note(department) for _ in range(count)]
        nodes = [
            {
                "type": "GatherItem",
                "content": text,
                "projectId": project,
                "properties": properties_of(department, text, 75),
            }
            for text in texts
        ]
        return _post("/nodes/batch", {"nodes": nodes}, texts)

    def search(self, project: str) -> Call:
        """Search the whole project for duplicates of one text."""
        self._searches += 1
        if self._searches % REPEATED_EVERY == 0:
            text = self._writer.rephrased(self._seeded[self._searches % len(self._seeded)])
        else:
            text = self.note(self._writer.department())
        return _post("/search/duplicates", {"projectId": project, "content": text}, [text])

    def context(self, project: str) -> Call:
        """Ask for the context of five departments for a sixth; every call is for other ones."""
        self._contexts += 1
        names = [
            self.departments[(self._contexts + index) % len(self.departments)]
            for index in range(CONTEXT_DEPARTMENTS + 1)
        ]
        target, *previous = names
        query = [("projectId", project), ("department", target)]
        query += [("previousDepartments[]", name) for name in previous]
        path = f"{PREFIX}/context/department"
        return Call("GET", path, query=tuple(query), departments=tuple(previous))

    def listing(self, project: str) -> Call:
        """List a page of 500 nodes, without their texts; every call starts somewhere else in the project."""
        self._listings += 1
        start = f"{self._listings * 37 % 16:x}"
        query = (("projectId", project), ("limit", str(NODES_PAGE_MAX)), ("cursor", start))
        return Call("GET", f"{PREFIX}/nodes", query=query)

    def deletion(self, project: str, ids: Sequence[str]) -> Call:
        """Delete nodes."""
        query = (("projectId", project), *(("ids", each) for each in ids))
        return Call("DELETE", f"{PREFIX}/nodes", query=query)

    def coverage(self, project: str, department: str, items: Sequence[str]) -> Call:
        """Analyse a department's items."""
        body = {
            "projectId": project,
            "department": department,
            "gatherItems": [{"content": item, "summary": item[:80]} for item in items],
        }
        texts = [sentence for item in items for sentence in sentences(item, SENTENCES_MAX)]
        return _post("/analyze/coverage", body, texts)


def _post(path: str, body: dict[str, Any], texts: Sequence[str]) -> Call:
    return Call("POST", PREFIX + path, json.dumps(body).encode(), texts=tuple(texts))
