"""Departments and projects at the edges, and the loop's ends, with real worker processes and real stores."""

import json
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis
from pymongo import MongoClient

from dev.paths import ROOT
from gather_contracts import names
from gather_contracts.events import decode_event
from gather_contracts.items import CONTENT_MAX
from gather_contracts.result import StopReason
from gather_worker.attempt import soft_deadline_s
from tests.support.http_server import answering
from tests.support.worker_harness import Ended, WorkerHarness

_LOGGER = logging.getLogger(__name__)
NewHarness = Callable[..., WorkerHarness]
MEMORY_MAX_BYTES = 200 * 1024 * 1024
ATTEMPT_S = 30
WRITING_S = soft_deadline_s(ATTEMPT_S) / 2 + 0.1
"""One iteration fits into the attempt, also on a busy machine, and never a second one."""

STORY_NOTES = (
    "The keeper of the lighthouse counts each lamp twice; on the third night the second count is one short.",
    "Open on the ferry at five in the morning: forty sheep, one violin case, and nobody who owns the violin.",
    "The turning point is a letter that arrives wet. Ilse reads only the half that the sea has left her.",
    "Each chapter ends with a door. Four are closed, one is ajar, and the last is painted on plaster.",
    "Dialogue stays short: nobody on the island finishes a sentence in which the drowned brother is named.",
)


@dataclass
class ScriptedModel:
    """An OpenAI-compatible endpoint that writes what the test says and judges everything alike."""

    notes: Sequence[str] = STORY_NOTES
    score: float = 50
    writing_s: float = 0
    prompts: list[str] = field(default_factory=list)
    """The last message of each request for notes."""
    url: str = ""

    def completion(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to one request."""
        content = json.dumps(self._content(body), ensure_ascii=False)
        message = {"role": "assistant", "content": content}
        usage = {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150, "cost": 0.001}
        return {
            "id": "scripted", "object": "chat.completion", "created": 0, "model": body["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}], "usage": usage,
        }  # fmt: skip

    def _content(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return what is written, depending on the request's schema."""
        wanted = body["response_format"]["json_schema"]["schema"]["properties"]
        if "items" in wanted:
            self.prompts.append(body["messages"][-1]["content"])
            time.sleep(self.writing_s)
            return {"items": [{"content": n, "summary": n[:60], "context": ""} for n in self.notes]}
        if "verdicts" in wanted:
            return {"verdicts": []}
        return {part: self.score if not part.endswith("reason") else "" for part in wanted}


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    """A scripted model for one test."""
    scripted = ScriptedModel()
    with answering(scripted.completion) as url:
        scripted.url = f"{url}/v1"
        yield scripted


def change_department(harness: WorkerHarness, index: int = 0, **fields: Any) -> None:
    """Give one department other words."""
    departments = list(harness.document.departments)
    departments[index] = departments[index].model_copy(update=fields)
    harness.document = harness.document.model_copy(update={"departments": departments})


def insert_notes(harness: WorkerHarness, contents: Sequence[str], department: str, **fields: Any) -> None:
    """Put notes into MongoDB as people would have written them, unknown to the brain."""
    documents = [
        {
            "content": content, "summary": "", "context": "", "projectId": harness.project_id,
            "department": department, "departmentName": department.title(), "userId": "somebody",
            "isAutomated": False, **fields,
        }
        for content in contents
    ]  # fmt: skip
    with MongoClient[dict[str, Any]](harness.services.mongodb_uri) as client:
        client[names.gather_database(harness.project_id)][names.ITEMS_COLLECTION].insert_many(documents)


def events_of(harness: WorkerHarness) -> list[Any]:
    """Return the project's events in their order."""
    with redis.Redis.from_url(harness.services.redis_url) as client:
        entries: Any = client.xrange(names.event_log(harness.project_id))
    return [decode_event(fields[b"event"]) for _, fields in entries]


def automated(harness: WorkerHarness) -> list[dict[str, Any]]:
    """Return the items that workers wrote."""
    return [item for item in harness.items() if item["isAutomated"]]


def assert_told(harness: WorkerHarness, ended: Ended, reason: StopReason, exit_code: int = 0) -> None:
    """Check the termination message: the reason, and the numbers of the checkpoint."""
    assert ended.exit_code == exit_code, ended.messages()
    assert ended.result is not None
    assert ended.result.reason is reason
    checkpoint = harness.checkpoint()
    assert ended.result.iterations == checkpoint["iterations"]
    assert ended.result.items_created == checkpoint["itemsCreated"] == len(automated(harness))


# --- how the loop ends (threshold, allowance, SIGTERM: test_run.py)


def test_flat_quality_changes_the_prompt_and_then_ends_the_department(
    harness: WorkerHarness, model: ScriptedModel
) -> None:
    """Nothing new to say: three flat iterations, a warning, another prompt, three more, the end."""
    ended = harness.run(0, 20, GATHER_LLM_BASE_URL=model.url)
    assert_told(harness, ended, StopReason.QUALITY_FLAT)
    assert ended.result is not None
    assert ended.result.iterations == 7
    changed = ["did not raise the department's quality" in prompt for prompt in model.prompts]
    assert changed == [False] * 4 + [True] * 3
    warnings = [line for line in ended.log if "quality stays at" in str(line.get("message"))]
    assert [line["level"] for line in warnings] == ["WARNING"] * 3
    assert [event.type for event in events_of(harness)][-1] == "department_complete"


def test_an_iteration_that_no_longer_fits_is_not_begun(new_harness: NewHarness, model: ScriptedModel) -> None:
    """The soft deadline is the attempt's, less the longest iteration seen; the next attempt goes on."""
    harness = new_harness(departmentTimeoutSeconds=ATTEMPT_S)
    model.writing_s = WRITING_S
    ended = harness.run(0, 5, GATHER_LLM_BASE_URL=model.url)
    assert_told(harness, ended, StopReason.DEADLINE_NEAR, exit_code=75)
    assert len(model.prompts) == 1, "a second iteration was begun that could not end"
    assert ended.result is not None
    assert ended.result.iterations == 1
    model.writing_s = 0
    assert_told(harness, harness.run(0, 1, GATHER_LLM_BASE_URL=model.url), StopReason.ITERATIONS_USED)


@pytest.mark.parametrize("budget", [{"maxCostUSD": 0}, {"maxTokens": 0}], ids=["money", "tokens"])
def test_a_budget_of_nothing_ends_the_department_unbegun(
    new_harness: NewHarness, model: ScriptedModel, budget: dict[str, float]
) -> None:
    """No request is sent, the department is done with its reason, and so is the next one."""
    harness = new_harness(budget=budget)
    ended = harness.run(0, 3, GATHER_LLM_BASE_URL=model.url)
    assert_told(harness, ended, StopReason.BUDGET_USED)
    assert ended.result is not None
    assert (ended.result.iterations, ended.result.items_created, ended.result.tokens) == (0, 0, 0)
    assert model.prompts == []
    assert [event.type for event in events_of(harness)] == ["department_started", "department_complete"]
    following = harness.run(1, 3, GATHER_LLM_BASE_URL=model.url)
    assert following.result is not None
    assert (following.exit_code, following.result.reason) == (0, StopReason.BUDGET_USED)
    assert model.prompts == []


# --- a department without description


@pytest.mark.parametrize(
    ("slug", "is_known"),
    [("story", True), ("kite-flying", False)],
    ids=["a usual one", "one that nobody knows"],
)
def test_a_department_without_description_is_filled(
    harness: WorkerHarness, slug: str, is_known: bool
) -> None:
    """The brain knows the usual departments' aspects; of any other it takes the name for its only one."""
    change_department(harness, slug=slug, name=slug.title(), description="")
    ended = harness.run(0, 1)
    assert_told(harness, ended, StopReason.ITERATIONS_USED)
    checkpoint = harness.checkpoint()
    assert checkpoint["quality"]["coverageSource"] == "brain"
    assert checkpoint["quality"]["coverage"] > 0 or not is_known
    assert is_known or checkpoint["gaps"][0].startswith("Kite Flying: ")
    assert {item["_id"] for item in automated(harness)} == harness.node_ids()


# --- 5,000 existing items


@pytest.mark.parametrize(
    ("existing", "timeout_s"), [(1_000, 60), pytest.param(5_000, 180, marks=pytest.mark.long)]
)
def test_thousands_of_existing_notes_are_handled(
    harness: WorkerHarness, existing: int, timeout_s: int
) -> None:
    """As long as notes may be, with fields that Gather does not know: memory stays within the pod's."""
    filler = "Ein Satz über die Lampe, die niemand zählt. " * 500
    contents = [f"Note {number}: {filler}"[:CONTENT_MAX] for number in range(existing)]
    insert_notes(harness, contents, "story", attachment="x" * 4_000)
    # The brain follows in a tenth of this time; how far it comes is not the matter here.
    spec = harness.document.spec.model_copy(update={"department_timeout_seconds": timeout_s})
    harness.document = harness.document.model_copy(update={"spec": spec})
    harness.forks = None  # its memory is its own
    ended = harness.run(0, 1)
    assert_told(harness, ended, StopReason.ITERATIONS_USED)
    assert automated(harness)
    assert ended.peak_memory_bytes < MEMORY_MAX_BYTES
    assert any("only the first" in message for message in ended.messages())
    lap = next(line for line in ended.log if str(line.get("message")).startswith("iteration done"))
    _LOGGER.info("%d existing notes: peak %d MiB, %s", existing, ended.peak_memory_bytes // 2**20, lap)


# --- a unicode-only project

UNICODE = json.loads((ROOT / "tests" / "data" / "unicode_project.json").read_text("utf-8"))
UNICODE_NOTES = tuple(UNICODE["notes"])


def test_a_project_without_a_latin_letter_is_filled(harness: WorkerHarness, model: ScriptedModel) -> None:
    """Names and notes reach MongoDB, the brain, the prompt and the events unchanged."""
    name = UNICODE["name"]
    change_department(harness, name=name, description=UNICODE["description"])
    insert_notes(harness, UNICODE["written_by_people"], "story")
    model.notes = UNICODE_NOTES
    ended = harness.run(0, 1, GATHER_LLM_BASE_URL=model.url)
    assert_told(harness, ended, StopReason.ITERATIONS_USED)
    items = automated(harness)
    assert {item["content"] for item in items} == set(UNICODE_NOTES)
    assert {item["automationMetadata"]["departmentName"] for item in items} == {name}
    nodes = harness.node_properties()
    assert {nodes[item["_id"]]["departmentName"] for item in items} == {name}
    assert len(nodes) == len(items) + len(UNICODE["written_by_people"])
    named = [event.department_name for event in events_of(harness) if hasattr(event, "department_name")]
    assert named
    assert set(named) == {name}
    assert name in model.prompts[0]
    assert UNICODE["written_by_people"][0] in model.prompts[0]


def test_notes_that_differ_in_script_alone_are_not_confused(
    harness: WorkerHarness, model: ScriptedModel
) -> None:
    """What is no Latin letter still tells notes apart; a repetition in full-width letters is one."""
    model.notes = (*UNICODE_NOTES, STORY_NOTES[0], "".join(_full_width(c) for c in STORY_NOTES[0]))
    ended = harness.run(0, 1, GATHER_LLM_BASE_URL=model.url)
    assert_told(harness, ended, StopReason.ITERATIONS_USED)
    assert len(automated(harness)) == len(UNICODE_NOTES) + 1


def _full_width(letter: str) -> str:
    return chr(ord(letter) + 0xFEE0) if "!" <= letter <= "~" else letter
