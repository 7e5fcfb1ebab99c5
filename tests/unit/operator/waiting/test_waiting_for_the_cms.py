"""Runs that wait for the CMS, beside others: queue, passes and shared readings on a cluster in memory."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from gather_clients.background_tasks import end_tasks
from gather_clients.backoff import Backoff
from gather_contracts import names
from gather_operator.cms import shared_readings as module
from gather_operator.cms.shared_readings import SharedReadings
from gather_operator.decisions.facts import CmsReading
from gather_operator.decisions.manifests import WorkerTemplate
from gather_operator.errors import CmsUnavailable
from gather_operator.reconcile import Reconciler
from gather_operator.run_cache import RunCache
from gather_operator.work_queue import WorkQueue
from tests.support.kubernetes.operator_in_memory import dependencies_on

LIMIT_S = 30
WORKERS = 8
RUNS = 40


class Operator:
    """Queue, passes and shared readings as `main.py` puts them together; `answer` is what the CMS does."""

    def __init__(self, world: Any, patience_s: float = 60) -> None:
        self.world, self.cache, self.queue = world, RunCache(), WorkQueue()
        self.requests = 0
        self.answer: Callable[[], CmsReading] | None = None
        self.readings = SharedReadings(self, self.queue.add, patience_s)
        dependencies = dependencies_on(world, self.cache, self.readings)
        self.reconciler = Reconciler(dependencies, WorkerTemplate(image="worker"), "default/model")

    async def departments(self) -> CmsReading:
        """Answer as the test says; hang where it says nothing."""
        self.requests += 1
        if self.answer is None:
            await asyncio.Event().wait()
        assert self.answer is not None
        return self.answer()

    def see(self, body: dict[str, Any]) -> None:
        """Bring a version of a run, as the watch does."""
        self.world.runs[body["metadata"]["name"]] = body
        self.cache.put(body)
        self.queue.add(body["metadata"]["uid"])

    def change(self, name: str, *, deleted: str | None = None, **spec: Any) -> None:
        """Change a run as a user does."""
        body = self.world.runs[name]
        metadata = {**body["metadata"], "resourceVersion": self.world._next()}
        if deleted:
            metadata["deletionTimestamp"] = deleted
        self.see({**body, "metadata": metadata, "spec": {**body["spec"], **spec}})

    def status(self, name: str) -> dict[str, Any]:
        """A run's status as it was last written."""
        return self.world.runs[name]["status"]  # type: ignore[no-any-return]

    def accepted(self, name: str) -> dict[str, str]:
        """A run's Accepted condition."""
        conditions = self.status(name).get("conditions", [])
        return next((c for c in conditions if c["type"] == "Accepted"), {})

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds, at most for `LIMIT_S`."""
        async with asyncio.timeout(LIMIT_S):
            while not holds():  # noqa: ASYNC110 - in memory, a turn of the loop is all that it takes
                await asyncio.sleep(0)


@pytest.fixture
async def operator(make_world: Any) -> AsyncIterator[Operator]:
    """At work until the test ends."""
    made = Operator(make_world())
    task = asyncio.create_task(made.queue.run(WORKERS, made.reconciler.work))
    yield made
    await end_tasks([task])
    await made.readings.close()


def create(operator: Operator, build: Any, *names_: str, **spec: Any) -> None:
    """Make runs as a user does."""
    for name in names_:
        operator.see(build.body(name=name, uid=f"uid-{name}", spec=spec, finalizers=()))


async def test_a_hanging_cms_holds_up_neither_a_cancellation_nor_a_deletion(
    operator: Operator, build: Any
) -> None:
    """40 runs wait for it with one request; what does not need it is done at once."""
    waiting = [f"run-{number}" for number in range(RUNS)]
    create(operator, build, *waiting)
    await operator.until(lambda: len(operator.readings._waiting) == RUNS)
    running = build.body(
        name="at-work", uid=build.uid, status={"phase": "Running", "departments": build.departments("story")}
    )
    operator.see(running)
    operator.see({**running, "metadata": {**running["metadata"], "name": "going", "uid": "uid-going"}})

    operator.change("at-work", cancel=True)
    operator.change("run-0", cancel=True)
    operator.change("going", deleted="2999-01-01T00:00:00Z")
    operator.change("run-1", deleted="2999-01-01T00:00:00Z")
    await operator.until(
        lambda: (
            operator.status("at-work").get("phase") == operator.status("run-0").get("phase") == "Cancelled"
            and not {"going", "run-1"} & set(operator.world.runs)
        )
    )
    assert operator.requests == 1
    assert not {"uid-run-0", "uid-run-1", build.uid, "uid-going"} & set(operator.readings._waiting)


async def test_a_cms_that_answers_starts_all_runs_that_wait(operator: Operator, build: Any) -> None:
    """With a request or two, whatever their number; then it is asked no more."""
    operator.answer = lambda: build.cms("story")
    waiting = [f"run-{number}" for number in range(RUNS)]
    create(operator, build, *waiting)
    await operator.until(lambda: all(operator.status(name).get("phase") == "Running" for name in waiting))
    assert operator.requests <= RUNS / 4
    await operator.until(lambda: not operator.readings._waiting)


async def test_a_failing_cms_is_said_in_every_run_and_asked_again_for_all_at_once(
    operator: Operator, build: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The runs stay Pending with the reason, and start by themselves."""

    def down() -> CmsReading:
        raise CmsUnavailable("The CMS answered HTTP 503.")

    monkeypatch.setattr(module, "BACKOFF", Backoff(0.2, 0.2))
    operator.answer = down
    create(operator, build, "a", "b", "c")
    await operator.until(
        lambda: all(operator.accepted(n).get("reason") == "CMSUnavailable" for n in ("a", "b", "c"))
    )
    assert {operator.status(n).get("phase") for n in ("a", "b", "c")} == {"Pending"}
    assert operator.requests <= 3
    operator.answer = lambda: build.cms("story")
    await operator.until(lambda: all(operator.status(n).get("phase") == "Running" for n in ("a", "b", "c")))


@pytest.mark.parametrize(
    ("selected", "first", "reason", "words"),
    [
        pytest.param([], (), "NoDepartments", "names no department that takes part yet", id="nothing"),
        pytest.param(["world"], ("story",), "NoDepartments", "does not name world yet", id="none selected"),
        pytest.param(
            ["story", "world"], ("story",), "SelectionIncomplete", "does not name world yet", id="not all"
        ),
    ],
)
async def test_departments_that_the_cms_does_not_name_yet_are_waited_for(  # noqa: PLR0917
    operator: Operator,
    build: Any,
    monkeypatch: pytest.MonkeyPatch,
    selected: list[str],
    first: tuple[str, ...],
    reason: str,
    words: str,
) -> None:
    """A CMS that has just started, or an editor who has not saved yet, must not end a run for good."""
    monkeypatch.setattr(module, "REFRESH_S", 0.01)
    operator.answer = lambda: build.cms(*first)
    create(operator, build, "film", departments=selected)
    await operator.until(lambda: operator.accepted("film").get("reason") == reason)
    assert operator.status("film").get("phase") == "Pending"
    assert words in operator.accepted("film")["message"]
    assert "GATHER_CMS_EMPTY_PATIENCE_S" in operator.accepted("film")["message"]
    writes = operator.world.writes
    requests = operator.requests
    await operator.until(lambda: operator.requests > requests + 3)
    assert operator.world.writes == writes, "waiting costs the API server nothing"
    operator.answer = lambda: build.cms("story", "world")
    await operator.until(lambda: operator.status("film").get("phase") == "Running")
    assert operator.accepted("film")["reason"] == "DepartmentsResolved"
    (name,) = operator.world.config_maps
    assert name == names.run_config_map_name("film", "uid-film")


@pytest.mark.parametrize(
    ("selected", "phase", "reason"),
    [(["world"], "Failed", "NoDepartments"), (["story", "world"], "Running", "DepartmentsLeftOut")],
)
async def test_after_a_while_the_run_goes_on_without_them(  # noqa: PLR0917
    make_world: Any, build: Any, monkeypatch: pytest.MonkeyPatch, selected: list[str], phase: str, reason: str
) -> None:
    """Or fails where none is left; and the CMS is asked no more."""
    monkeypatch.setattr(module, "REFRESH_S", 0.01)
    operator = Operator(make_world(), patience_s=0.05)
    operator.answer = lambda: build.cms("story")
    task = asyncio.create_task(operator.queue.run(WORKERS, operator.reconciler.work))
    create(operator, build, "film", departments=selected)
    await operator.until(lambda: operator.status("film").get("phase") == phase)
    assert operator.accepted("film")["reason"] == reason
    assert "world" in operator.accepted("film")["message"]
    await operator.until(lambda: not operator.readings._waiting)
    await end_tasks([task])
    await operator.readings.close()
