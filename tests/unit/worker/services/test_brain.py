"""The brain as a worker asks it: it helps, or is done without, and holds nothing up."""

import asyncio
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gather_clients.brain_client import BrainClient
from gather_clients.notes.note import Note, Origin
from gather_contracts.brain import CONTENT_MAX
from gather_contracts.departments import ResolvedDepartment
from gather_worker.attempt import Attempt
from gather_worker.documents.note_node import node_of
from gather_worker.duplicates.candidates import NEIGHBOUR_COSINE_MIN
from gather_worker.errors import BrainKeyRefused, BrainUnusable, DeadlineNear, InvalidInput, Terminated
from gather_worker.services import brain as module
from gather_worker.services.brain import Brain, brain_client

PROJECT = "a" * 24
TIMING = {"query_embedding_time_ms": 0, "search_time_ms": 0, "total_time_ms": 0}
NOTHING_FOUND = httpx.Response(200, json={"results": [{"duplicates": []}], **TIMING})
DEPARTMENT = ResolvedDepartment(slug="story", name="Story", code_dep_number=1, threshold=80, model="m/x")


class FakeBrain:
    """A brain that gives scripted answers; /readyz answers as `ready` says."""

    def __init__(self, *answers: httpx.Response | Exception) -> None:
        self.answers = list(answers)
        self.calls: list[httpx.Request] = []
        self.knocks = 0
        self.ready = True

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer."""
        if request.url.path == "/readyz":
            self.knocks += 1
            return httpx.Response(200 if self.ready else 503)
        self.calls.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def asked(fake: FakeBrain, attempt: Attempt | None = None, key_now: Callable[[], str] | None = None) -> Brain:
    """Return the worker's side of the fake."""
    client = BrainClient("http://brain", "k", transport=httpx.MockTransport(fake.answer))
    return Brain(client, attempt or Attempt(60), PROJECT, key_now)


def refusal(status: int, code: str, **headers: str) -> httpx.Response:
    """Return one of the brain's errors."""
    return httpx.Response(status, json={"error": code, "message": "m"}, headers=headers)


async def test_neighbours_are_asked_for_in_one_request() -> None:
    """All drafts of an iteration, in the project's notes of all departments."""
    fake = FakeBrain(NOTHING_FOUND)
    await asked(fake).neighbours(["one", "two"])
    body = json.loads(fake.calls[0].content)
    assert (body["contents"], body["type"]) == (["one", "two"], "GatherItem")
    assert body["threshold"] == NEIGHBOUR_COSINE_MIN
    assert "department" not in body


def compared(*cosines: float) -> httpx.Response:
    """Return the brain's answer to pairs."""
    return httpx.Response(200, json={"similarities": cosines, "model": "mini", "total_time_ms": 1})


async def test_pairs_are_compared_fifty_at_a_time() -> None:
    """In their order, with the model that the cosines are of."""
    fake = FakeBrain(compared(*[0.5] * 50), compared(0.7))
    pairs = [(f"one {place}", f"other {place}") for place in range(51)]
    assert await asked(fake).compare(pairs) == ("mini", [*[0.5] * 50, 0.7])
    sent = [json.loads(call.content)["pairs"] for call in fake.calls]
    assert [(pair["a"], pair["b"]) for part in sent for pair in part] == pairs


async def test_a_key_that_may_not_compare_is_as_good_as_no_brain() -> None:
    """404: the project is another's."""
    with pytest.raises(BrainKeyRefused):
        await asked(FakeBrain(refusal(404, "not_found"))).compare([("one", "other")])


async def test_a_project_without_nodes_has_no_neighbours_and_no_context() -> None:
    """404 is no trouble: the first iteration of the first department meets it."""
    fake = FakeBrain(refusal(404, "not_found"), refusal(404, "not_found"))
    brain = asked(fake)
    assert await brain.neighbours(["one", "two"]) == [[], []]
    assert await brain.earlier_context("sound", ["story"]) is None


async def test_a_limit_is_waited_for() -> None:
    """A worker that gets 429 waits; it does not go on without the brain for that."""
    fake = FakeBrain(refusal(429, "rate_limit_exceeded", **{"Retry-After": "1"}), NOTHING_FOUND)
    started = time.monotonic()
    assert await asked(fake).neighbours(["one"]) == [[]]
    assert time.monotonic() - started >= 1


async def test_a_limit_longer_than_the_patience_counts_as_unavailable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Bounded."""
    monkeypatch.setattr(module, "PATIENCE_S", 0.5)
    with pytest.raises(BrainUnusable):
        await asked(FakeBrain(refusal(429, "rate_limit_exceeded", **{"Retry-After": "60"}))).neighbours(
            ["one"]
        )


async def test_an_unavailable_brain_is_noticed_at_once_and_not_tried_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One readiness check, then none for a while, then one again; once it is ready it is asked."""
    monkeypatch.setattr(module, "EARLY_S", 0.0)
    fake = FakeBrain(NOTHING_FOUND)
    fake.ready = False
    brain = asked(fake)
    for _ in range(5):
        with pytest.raises(BrainUnusable):
            await brain.neighbours(["one"])
    assert (fake.knocks, len(fake.calls)) == (1, 0)
    monkeypatch.setattr(module, "QUIET_S", 0.0)
    later = asked(fake)
    for _ in range(2):
        with pytest.raises(BrainUnusable):
            await later.neighbours(["one"])
    fake.ready = True
    assert await later.neighbours(["one"]) == [[]]


async def test_in_a_process_s_first_seconds_the_brain_is_tried_again_soon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its pod's network policies may let it through only then; after an answer it is as at any time."""
    monkeypatch.setattr(module, "EARLY_QUIET_S", 0.0)
    fake = FakeBrain(NOTHING_FOUND)
    fake.ready = False
    brain = asked(fake)
    with pytest.raises(BrainUnusable):
        await brain.neighbours(["one"])
    fake.ready = True
    assert await brain.neighbours(["one"]) == [[]]
    monkeypatch.setattr(module, "TRUSTED_S", 0.0)
    fake.ready = False
    for _ in range(2):
        with pytest.raises(BrainUnusable):
            await brain.neighbours(["one"])
    fake.ready = True
    with pytest.raises(BrainUnusable):
        await brain.neighbours(["one"])


@pytest.mark.parametrize("opens_at_knock", [1, 4])
async def test_a_first_score_waits_until_the_way_to_the_brain_is_open(
    monkeypatch: pytest.MonkeyPatch, opens_at_knock: int
) -> None:
    """What is not measured stays without a score; all else of the first iteration can do without."""
    monkeypatch.setattr(module, "EARLY_QUIET_S", 0.01)
    fake = FakeBrain(refusal(404, "not_found"))
    fake.ready = False
    brain = asked(fake)
    with pytest.raises(BrainUnusable):
        await brain.neighbours(["one"])
    is_ready = brain._client.is_ready

    async def knock() -> bool:
        fake.ready = fake.knocks >= opens_at_knock
        return await is_ready()

    monkeypatch.setattr(brain._client, "is_ready", knock)
    await brain.wait_for_way()
    assert await brain.coverage(DEPARTMENT, []) is None
    assert (fake.knocks, len(fake.calls)) == (opens_at_knock + 1, 1)


async def test_a_first_score_waits_no_longer_than_a_process_s_first_seconds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Then the brain is unavailable, and the department goes on without it."""
    monkeypatch.setattr(module, "EARLY_S", 0.05)
    monkeypatch.setattr(module, "EARLY_QUIET_S", 0.01)
    fake = FakeBrain()
    fake.ready = False
    brain = asked(fake)
    with pytest.raises(BrainUnusable):
        await brain.neighbours(["one"])
    await brain.wait_for_way()
    knocks = fake.knocks
    await brain.wait_for_way()
    assert fake.knocks == knocks > 1


async def test_a_brain_that_just_answered_is_not_asked_whether_it_is_there() -> None:
    """One knock for a row of calls."""
    fake = FakeBrain(NOTHING_FOUND, NOTHING_FOUND, NOTHING_FOUND)
    brain = asked(fake)
    for _ in range(3):
        await brain.neighbours(["one"])
    assert fake.knocks == 1


@pytest.mark.parametrize("is_ready", [True, False])
async def test_calls_at_the_same_time_ask_once_whether_it_is_ready(is_ready: bool) -> None:
    """Its answer holds for all of them, whatever it is."""
    fake = FakeBrain(*[NOTHING_FOUND] * 3)
    fake.ready = is_ready
    brain = asked(fake)
    usable = await asyncio.gather(brain.is_usable(), brain.is_usable(), brain.is_usable())
    assert (set(usable), fake.knocks) == ({is_ready}, 1)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_told_from_an_absence(
    status: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its owner can mend it; until then the notes wait, and the brain is asked once a minute at most."""
    fake = FakeBrain(refusal(status, "unauthorized"))
    brain = asked(fake)
    for _ in range(3):
        with pytest.raises(BrainKeyRefused, match=f"BRAIN_SERVICE_API_KEY: .*{status} unauthorized"):
            await brain.index([note("a")])
        assert not await brain.is_usable()
    assert len(fake.calls) == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    monkeypatch.setattr(module, "REFUSED_QUIET_S", 0.0)
    later = asked(FakeBrain(refusal(status, "unauthorized"), NOTHING_FOUND))
    with pytest.raises(BrainKeyRefused):
        await later.index([note("a")])
    assert await later.neighbours(["one"]) == [[]]


async def test_a_key_that_was_replaced_is_read_again() -> None:
    """The old one is refused, the new one stands in its file; one that is no other is asked with once."""
    fake = FakeBrain(refusal(401, "unauthorized"), NOTHING_FOUND, refusal(401, "unauthorized"))
    brain = asked(fake, key_now=lambda: "new-key")
    assert await brain.neighbours(["one"]) == [[]]
    assert [call.headers["Authorization"] for call in fake.calls] == ["Bearer k", "Bearer new-key"]
    with pytest.raises(BrainKeyRefused):
        await brain.neighbours(["one"])
    assert len(fake.calls) == 3


@pytest.mark.parametrize("key", ["", "schlüssel"], ids=["nothing", "umlaut"])
async def test_what_is_no_key_replaces_none(key: str) -> None:
    """A file that is just written, or wrongly."""
    fake = FakeBrain(refusal(401, "unauthorized"))
    with pytest.raises(BrainKeyRefused):
        await asked(fake, key_now=lambda: key).neighbours(["one"])
    assert len(fake.calls) == 1


@pytest.mark.parametrize("ask", ["index", "compare"])
async def test_a_key_of_another_project_is_a_refused_key(ask: str) -> None:
    """The brain answers 404, which for a search says that the project has no nodes yet."""
    brain = asked(FakeBrain(refusal(404, "not_found")))
    call = brain.index([note("a")]) if ask == "index" else brain.compare([("one", "other")])
    with pytest.raises(BrainKeyRefused, match=r"BRAIN_SERVICE_API_KEY: the key may not .* project"):
        await call


@pytest.mark.parametrize(
    ("url", "key"),
    [("brain:8000", "k"), ("ftp://brain", "k"), ("http://", "k"), ("http://brain:port", "k"),
     ("http://brain", "k\n"), ("http://brain", "schlüssel")],
    ids=["no scheme", "another scheme", "no host", "no port", "line break in a key", "umlaut in a key"],
)  # fmt: skip
def test_an_address_or_a_key_that_can_never_work_is_no_absence(url: str, key: str) -> None:
    """Httpx would say of each request that there is no connection, or break; no part of the key is shown."""
    with pytest.raises(
        InvalidInput, match=r"settings: BRAIN_SERVICE_(BASE_URL|API_KEY): (it|is|has) "
    ) as caught:
        brain_client(url, key)
    assert "schl" not in str(caught.value)


async def test_notes_that_the_brain_refuses_are_not_sent_again() -> None:
    """400: they stay in MongoDB, and the worker goes on."""
    await asked(FakeBrain(refusal(400, "batch_validation_failed"))).index([note("a")])


async def test_a_refused_request_counts_as_unavailable() -> None:
    """It would be refused again."""
    with pytest.raises(BrainUnusable):
        await asked(FakeBrain(refusal(400, "validation_failed"))).coverage(DEPARTMENT, [note("a")])


@pytest.mark.parametrize("ending", [Terminated, DeadlineNear])
async def test_no_wait_outlasts_the_attempt(ending: type[Exception]) -> None:
    """SIGTERM and the deadline go before patience."""
    attempt = Attempt(60 if ending is Terminated else 0)
    if ending is Terminated:
        attempt.terminate()
    with pytest.raises(ending):
        await asked(FakeBrain(), attempt).neighbours(["one"])


async def test_coverage_is_asked_for_the_newest_hundred() -> None:
    """The API's limit."""
    fake = FakeBrain(refusal(404, "not_found"))
    await asked(fake).coverage(DEPARTMENT, [note(f"i{n}") for n in range(150)])
    sent = [item["id"] for item in json.loads(fake.calls[0].content)["gatherItems"]]
    assert sent == [f"i{n}" for n in range(50, 150)]


def note(name: str, score: float | None = None) -> Note:
    """Return a note."""
    return Note(
        id=name, content="The keeper.", summary="s", context="c", project_id=PROJECT, department="story",
        department_name="Story", user_id="u", is_automated=True,
        origin=Origin("r", "u", "pod", 2, "m/x", score),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("score", "check"),
    [(None, lambda p: "qualityScore" not in p), (75.5, lambda p: p["qualityScore"] == 75.5)],
    ids=["before it is scored", "after"],
)
def test_a_node_carries_the_properties_of_the_requirements(
    score: float | None, check: Callable[[dict[str, Any]], bool]
) -> None:
    """Under the note's own id."""
    node = node_of(note("a", score))
    assert (node.id, node.type, node.content, node.project_id) == ("a", "GatherItem", "The keeper.", PROJECT)
    expected = {
        "department": "story", "departmentName": "Story", "isAutomated": True, "iteration": 2,
        "model": "m/x", "taskId": "pod", "summary": "s", "context": "c",
    }  # fmt: skip
    assert expected.items() <= node.properties.items()
    assert check(dict(node.properties))


def test_a_note_of_the_whole_film_has_no_department_and_a_long_one_is_its_beginning() -> None:
    """The brain takes neither an empty department nor more than its own bound."""
    node = node_of(Note(id="a", content="salt " * 4000, project_id=PROJECT))
    assert "department" not in node.properties
    assert len(node.content) == CONTENT_MAX
