"""Batches at the same time on two brains, and Neo4j killed at chosen moments of one batch."""

import asyncio
import itertools
import os
import secrets
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, Final

import httpx
import neo4j
import pytest

from dev.service_process import ServiceProcess
from gather_clients.brain_client import BrainClient
from gather_contracts.brain import BatchResponse, NodeIn
from tests.support.network.tcp_relay import Pass, Relay, Send, pass_on

ROUNDS: Final = int(os.environ.get("GATHER_CONCURRENCY_ROUNDS", "8"))
KILLS: Final = int(os.environ.get("GATHER_CONCURRENCY_KILLS", "1"))
"""Of Neo4j, each at the next of `MOMENTS`; a new start takes it 10 s on two idle cores."""

TEXT: Final = "Ada keeps the lamp of the lighthouse burning through the storm."
NEAR_TEXT: Final = "Ada keeps the lighthouse lamp burning through the storm."

WRITE: Final = b"MERGE (p:Project"
LOOK_UP: Final = b"n.serial < serial"
PULL: Final = b"\xb1\x3f"
COMMIT: Final = b"\x00\x02\xb0\x12\x00\x00"
"""Messages of the Bolt protocol, as the driver sends them after a query."""
MOMENTS: Final = (
    "commit answered",
    "query runs",
    "commit runs",
    "query arrives",
    "commit arrives",
    "look-up arrives",
)
"""What of the batch the brain had sent, or Neo4j had answered, when it was killed; most decisive first."""


@pytest.fixture(scope="module")
def replica(start_brain: Callable[..., AbstractContextManager[Any]]) -> Iterator[Any]:
    """A second brain on the same Neo4j."""
    with start_brain() as running:
        yield running


def note(project: str, identity: str, content: str, revision: int = 0, **properties: Any) -> NodeIn:
    """A node of the story department."""
    return NodeIn(
        id=identity,
        type="GatherItem",
        content=content,
        project_id=project,
        revision=revision,
        properties={"department": "story", **properties},
    )


async def test_two_brains_that_write_the_same_batch_write_it_once(
    brain: Any, replica: Any, project: str
) -> None:
    """In whatever order the nodes stand; whatever has the highest revision stays."""
    numbers = range(20)
    async with (
        BrainClient(brain.url, brain.service_key) as one,
        BrainClient(replica.url, replica.service_key) as other,
    ):
        batches = [
            [
                note(
                    project, f"n{n}", f"Night {n}: Ada writes the wind down.", revision, qualityScore=revision
                )
                for n in (numbers if revision % 2 else reversed(numbers))
            ]
            for revision in range(8)
        ]
        answers = await asyncio.gather(
            *(client.create_nodes(batch) for batch, client in zip(batches, itertools.cycle((one, other))))
        )
        context = await one.department_context(project, "music", ["story"])
    assert sum(answer.created for answer in answers) == len(numbers)
    assert context.context["story"].node_count == len(numbers)
    assert context.context["story"].quality_score == 7


@pytest.mark.parametrize("other_text", [TEXT.upper(), NEAR_TEXT], ids=["the same", "nearly the same"])
async def test_of_two_batches_at_the_same_time_the_second_names_the_first(
    brain: Any, replica: Any, other_text: str
) -> None:
    """One of the two answers, never none and never both, and the same when they are sent again."""
    async with (
        BrainClient(brain.url, brain.service_key) as one,
        BrainClient(replica.url, replica.service_key) as other,
    ):
        for _ in range(ROUNDS):
            project = secrets.token_hex(12)
            pair = ((one, [note(project, "a", TEXT)]), (other, [note(project, "b", other_text)]))
            named = [await asyncio.gather(*(named_by(*each) for each in pair)) for _ in range(2)]
            assert named[0] in ([None, "a"], ["b", None])
            assert named[0] == named[1]


async def named_by(client: BrainClient, nodes: list[NodeIn]) -> str | None:
    """Write one node and return which node it repeats."""
    answer = await client.create_nodes(nodes)
    duplicate = answer.nodes[0].duplicate_of
    return None if duplicate is None else duplicate.node_id


class Neo4jProxy:
    """Stands between a brain and Neo4j, and kills Neo4j at one moment of the next batch."""

    def __init__(self, store: ServiceProcess) -> None:
        self._store = store
        self._relay = Relay(store.uri, self._passes)
        self.uri = self._relay.uri
        self.killed = threading.Event()
        self._moment: str | None = None

    def arm(self, moment: str) -> None:
        """Kill at that moment of the next batch."""
        self.killed.clear()
        self._moment = moment

    def close(self) -> None:
        """Take no more connections."""
        self._relay.close()

    def meets(self, *moments: str) -> bool:
        """Whether one of these moments is the one."""
        return self._moment in moments

    def kill(self) -> None:
        """Kill Neo4j, once."""
        self._moment = None
        self._store.kill()
        self.killed.set()

    def _passes(self) -> tuple[Pass, Pass]:
        line = _Line(self)
        return line.pass_up, line.pass_down


class _Line:
    """One connection: knows how far the batch on it has come."""

    def __init__(self, proxy: Neo4jProxy) -> None:
        self._proxy = proxy
        self._sent = b""
        self._writes = False
        self._commits = False

    def pass_up(self, data: bytes, send: Send) -> bool:
        """Pass on what the brain says; False where Neo4j was killed over it."""
        recent, self._sent = self._sent[-64:] + data, self._sent[-64:] + data[-64:]
        if WRITE in recent:
            self._writes = True
        arrives = {
            "query arrives": WRITE in recent,
            "look-up arrives": LOOK_UP in recent,
            "commit arrives": self._writes and COMMIT in recent,
        }
        if any(self._proxy.meets(moment) for moment, here in arrives.items() if here):
            self._proxy.kill()
            return False
        send(data)
        runs = {
            "query runs": self._writes and PULL in recent,
            "commit runs": self._writes and COMMIT in recent,
        }
        self._commits = self._writes and COMMIT in recent
        if any(self._proxy.meets(moment) for moment, here in runs.items() if here):
            self._proxy.kill()
            return False
        return True

    def pass_down(self, data: bytes, send: Send) -> bool:
        """Pass on what Neo4j answers; an answer to the commit is lost with it."""
        if self._commits and self._proxy.meets("commit answered"):
            self._proxy.kill()
            return False
        return pass_on(data, send)


@pytest.fixture(scope="module")
def proxy(neo4j_store: ServiceProcess) -> Iterator[Neo4jProxy]:
    """What the proxied brain takes for Neo4j."""
    made = Neo4jProxy(neo4j_store)
    yield made
    made.close()
    neo4j_store.start()


@pytest.fixture(scope="module")
def proxied_brain(
    proxy: Neo4jProxy, start_brain: Callable[..., AbstractContextManager[Any]]
) -> Iterator[Any]:
    """A brain whose words to Neo4j are listened to."""
    with start_brain(NEO4J_URI=proxy.uri) as running:
        yield running


@pytest.mark.parametrize("moment", list(itertools.islice(itertools.cycle(MOMENTS), KILLS)))
def test_neo4j_killed_in_the_middle_of_a_batch_loses_and_doubles_nothing(
    proxy: Neo4jProxy, proxied_brain: Any, neo4j_store: ServiceProcess, project: str, moment: str
) -> None:
    """The client tries again, and each node is there once, with what it repeats, as if nothing had been."""
    text = f"Ada counts the ships of {project} from the gallery."
    contents = [f"Night {n} on {project}: the wind turns {n} times." for n in range(8)]
    contents += [text, text.upper()]
    nodes = [note(project, str(uuid.uuid4()), content) for content in contents]
    proxy.arm(moment)
    with ThreadPoolExecutor(1) as other_thread:
        answer = other_thread.submit(asyncio.run, written(proxied_brain, nodes))
        assert proxy.killed.wait(60), answer.done() and answer.result()
        neo4j_store.start()
        result = answer.result(180)
    assert result.created in {0, len(nodes)}
    last = result.nodes[-1].duplicate_of
    assert last is not None
    assert (last.node_id, last.similarity) == (nodes[-2].id, 1)
    assert result.nodes[-2].duplicate_of is None
    with neo4j.GraphDatabase.driver(neo4j_store.uri, auth=None) as driver:
        rows, _, _ = driver.execute_query(
            "MATCH (n:Node {projectId: $project}) RETURN n.id AS id, n.content AS content", project=project
        )
    assert sorted((row["id"], row["content"]) for row in rows) == sorted(
        (node.id, node.content) for node in nodes
    )


async def written(brain: Any, nodes: list[NodeIn]) -> BatchResponse:
    """Write a batch as a worker does, however long Neo4j takes to come back."""
    async with BrainClient(brain.url, brain.service_key) as client:
        return await client.create_nodes(nodes, deadline_s=150)


def test_the_brain_is_ready_again_after_all_that(proxied_brain: Any) -> None:
    """Without a new start of its own."""
    assert httpx.get(f"{proxied_brain.url}/readyz", timeout=10).status_code == 200
