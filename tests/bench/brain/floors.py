"""What each request cannot be faster than, measured in the same run: the least work that any brain must do.

The parts: the model alone on the texts that are new, an empty round trip to Neo4j and one to the brain, and
exact search in memory over the same vectors. A ratio to their sum says what the brain adds, on whatever
machine and under whatever load.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import httpx
import neo4j
import numpy as np

from gather_brain.vectors import Matrix
from tests.bench.brain.bare_model import BareModel
from tests.bench.brain.calls import Call
from tests.bench.measure import MS_PER_S

TOP: Final = 20
FACETS: Final = 60
"""Of a department's aspects, about."""
TIMEOUT_S: Final = 30


class Floors:
    """Measures the parts; each call returns milliseconds."""

    def __init__(self, neo4j_uri: str, brain_uri: str, model: BareModel, project: str) -> None:
        self._driver = neo4j.GraphDatabase.driver(neo4j_uri, auth=None)
        self._session = self._driver.session(database="neo4j")
        self._http = httpx.Client(base_url=brain_uri, timeout=TIMEOUT_S)
        self._model = model
        self._vectors, self._by_department = self._load(project)
        self._rng = np.random.default_rng(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()
        self._session.close()
        self._driver.close()

    def batch(self, call: Call) -> float:
        """The model alone, a round trip to Neo4j, one to the brain."""
        return _timed(lambda: self._model.embed(call.texts), self._bolt, self._brain)

    def trips(self, _: Call) -> float:
        """A round trip to Neo4j and one to the brain."""
        return _timed(self._bolt, self._brain)

    def ids(self, project: str) -> list[str]:
        """The project's nodes, in the order of their hashes, so that what is deleted lies scattered."""
        records = self._session.run(
            "MATCH (n:Node {projectId: $project}) RETURN n.id AS id ORDER BY n.contentHash, n.id",
            project=project,
        )
        return [record["id"] for record in records]

    def kept(self, project: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """All properties of some nodes."""
        query = "MATCH (n:Node {projectId: $project}) WHERE n.id IN $ids RETURN properties(n) AS kept"
        return [record["kept"] for record in self._session.run(query, project=project, ids=ids)]

    def restore(self, kept: Sequence[dict[str, Any]]) -> None:
        """Write deleted nodes again, past the brain."""
        self._session.run("UNWIND $rows AS row CREATE (n:Node) SET n = row", rows=kept).consume()

    def search(self, call: Call) -> float:
        """The same, and exact search over the project's vectors."""
        return _timed(
            lambda: self._nearest(self._vectors, self._model.embed(call.texts)[0]), self._bolt, self._brain
        )

    def context(self, call: Call) -> float:
        """A round trip to Neo4j, one to the brain, and exact search over the departments' vectors."""
        wanted = [self._by_department[name] for name in call.departments]
        target = self._vectors[int(self._rng.integers(len(self._vectors)))]
        return _timed(lambda: [self._nearest(rows, target) for rows in wanted], self._bolt, self._brain)

    def coverage(self, new: Sequence[str]) -> Callable[[Call], float]:
        """Return a floor: the model on `new` sentences, all sentences by facets, a round trip to each."""

        def measured(call: Call) -> float:
            likeness = self._vectors[np.arange(len(call.texts)) % len(self._vectors)]
            facets = self._vectors[:FACETS].T
            return _timed(
                lambda: self._model.embed(new) if new else None,
                lambda: likeness @ facets,
                self._bolt,
                self._brain,
            )

        return measured

    def _bolt(self) -> None:
        self._session.run("RETURN 1").consume()

    def _brain(self) -> None:
        self._http.get("/healthz").raise_for_status()

    @staticmethod
    def _nearest(vectors: Matrix, vector: Matrix) -> object:
        scores = vectors @ vector
        top = min(TOP, len(scores))
        best = np.argpartition(scores, -top)[-top:]
        return best[np.argsort(-scores[best])]

    def _load(self, project: str) -> tuple[Matrix, Mapping[str, Matrix]]:
        records = self._session.run(
            "MATCH (n:Node {projectId: $project}) RETURN n.department AS department, n.embedding AS vector",
            project=project,
        )
        pairs = [(record["department"], record["vector"]) for record in records]
        vectors = np.array([vector for _, vector in pairs], np.float32)
        names = np.array([name for name, _ in pairs])
        return vectors, {str(name): vectors[names == name] for name in set(names)}


def _timed(*parts: Callable[[], object]) -> float:
    started = time.perf_counter()
    for part in parts:
        part()
    return (time.perf_counter() - started) * MS_PER_S
