"""Real worker processes killed, stopped and held up at their writes, which an undisturbed run has shown.

`GATHER_FAULTS_SHARE` of the writes are tried: all with `make faults`, few otherwise.
"""

import logging
import os
import random
import signal
import subprocess
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

import pytest

from dev.service_process import ServiceProcess
from gather_contracts.result import StopReason
from gather_worker.llm.ledger import Ledger
from tests.support.crash_harness import CrashHarness, Freeze, Truth
from tests.support.fault_proxies import FaultProxies, Phase, Request
from tests.support.worker_harness import Ended, Services, Worker, WorkerHarness, run_document
from tests.support.workers.process_forks import ProcessForks

SHARE = float(os.environ.get("GATHER_FAULTS_SHARE", "0.02"))
SIGTERMS = int(os.environ.get("GATHER_FAULTS_SIGTERMS", "2"))
KILL_SERIES = int(os.environ.get("GATHER_FAULTS_KILL_SERIES", "1"))
ENDS = {StopReason.THRESHOLD_REACHED, StopReason.ITERATIONS_USED, StopReason.QUALITY_FLAT}

IN_FLIGHT_MAX = 2
"""Requests to the model: the verdict on one iteration and the notes of the next."""

NewCrash = Callable[[], CrashHarness]
_LOGGER = logging.getLogger(__name__)


class Course(StrEnum):
    """How the run goes that is disturbed; two iterations each."""

    EVALUATED = "evaluated"
    """The second iteration reaches the threshold, so that the evaluation is sent."""
    EARLY = "early"
    """The threshold is out of reach, so that the second iteration's notes are written early."""


@dataclass(frozen=True)
class Undisturbed:
    """A run that nobody disturbed: its truth, its writes in order, and how long it took."""

    new_crash: NewCrash
    """Makes further runs of the same course."""
    truth: Truth
    writes: list[Request]
    duration_s: float


def assert_nothing_lost_or_doubled(truth: Truth) -> None:
    """The department is finished, each note is once in both stores, and each event was sent."""
    checkpoint, items = truth.checkpoint, truth.items
    assert checkpoint["finished"]
    assert (checkpoint["drafts"], checkpoint["pending"], checkpoint["unindexed"]) == ([], [], [])
    assert len(checkpoint["scores"]) == checkpoint["iterations"]
    assert checkpoint["itemsCreated"] == len(items) == len({item["content"] for item in items})
    assert {i["_id"]: i["automationMetadata"]["qualityScore"] for i in items} == {
        name: node["qualityScore"] for name, node in truth.nodes.items()
    }
    counts = Counter(event.type for event in truth.events)
    iterations = sorted(e.iteration for e in truth.events if e.type == "iteration_complete")
    assert iterations == list(range(1, checkpoint["iterations"] + 1))
    assert counts["deduplicating"] == checkpoint["iterations"]
    assert counts["department_complete"] == 1
    assert 1 <= counts["department_started"] <= checkpoint["epoch"]
    assert truth.evaluations == (checkpoint["finished"] == "ThresholdReached")


def assert_same_story(truth: Truth, reference: Truth) -> None:
    """The notes and scores are those of the run that nobody disturbed."""
    assert truth.story == reference.story
    assert truth.checkpoint["scores"] == reference.checkpoint["scores"]


def assert_ledger(truth: Truth, unheard: int = IN_FLIGHT_MAX) -> None:
    """Every charge is in the ledger: at its price, or at its worst where nobody lived to hear the answer."""
    ledger = truth.checkpoint["ledger"]
    assert 0 <= truth.unnoted_requests <= len(ledger["reserved"]) <= unheard
    if not truth.unnoted_requests:
        assert ledger["costUsd"] == pytest.approx(truth.charged.cost_usd, abs=1e-9)
        assert ledger["tokensIn"] + ledger["tokensOut"] == truth.charged.tokens
    assert ledger["costUsd"] <= truth.charged.cost_usd + 1e-9
    # What nobody heard of stands at its worst, so that a cap on the run holds over crashes too.
    kept = Ledger.model_validate(ledger)
    assert kept.tokens >= truth.charged.tokens
    # A run without a cap asks for no price before its first answer, so that one in flight then has none.
    if all(reserve.cost_usd for reserve in kept.reserved):
        assert kept.total_usd >= truth.charged.cost_usd - 1e-9


def chosen(count: int, seed: int, *, share: float = SHARE) -> list[int]:
    """Return the numbers from 1 to `count` that are tried."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    return sorted(chance.sample(range(1, count + 1), max(1, round(count * share))))


@pytest.fixture(scope="module")
def proxies(services: Services) -> Iterator[FaultProxies]:
    """Proxies to all services."""
    proxies = FaultProxies(services)
    yield proxies
    proxies.close()


@pytest.fixture(scope="module")
def disturbed(forks: ProcessForks) -> ProcessForks | None:
    """What the workers are copies of; those of `make faults` are programs of their own, as in a pod."""
    return None if SHARE == 1 else forks


@pytest.fixture(scope="module")
def threshold(
    services: Services, disturbed: ProcessForks | None, tmp_path_factory: pytest.TempPathFactory
) -> float:
    """A threshold that the second iteration reaches and the first does not: so both kinds of iteration and
    the evaluation are gone through.
    """
    document = run_document(uuid.uuid4().hex[:24], str(uuid.uuid4()))
    harness = WorkerHarness(services, tmp_path_factory.mktemp("threshold"), document, forks=disturbed)
    harness.set_threshold(100)
    assert harness.run(0, 2).exit_code == 0
    first, second = harness.checkpoint()["scores"]
    assert first < second
    return float(second)


@pytest.fixture(scope="module")
def undisturbed(  # noqa: PLR0917
    request: pytest.FixtureRequest,
    services: Services,
    proxies: FaultProxies,
    disturbed: ProcessForks | None,
    threshold: float,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Undisturbed]:
    """The run that all others must equal, of the course that the test names."""
    course = getattr(request, "param", Course.EVALUATED)
    harnesses: list[WorkerHarness] = []

    def make() -> CrashHarness:
        document = run_document(uuid.uuid4().hex[:24], str(uuid.uuid4()))
        folder = tmp_path_factory.mktemp(course)
        harnesses.append(WorkerHarness(services, folder, document, forks=disturbed))
        harnesses[-1].set_threshold(threshold if course is Course.EVALUATED else 100)
        return CrashHarness(harnesses[-1], proxies, iterations=4 if course is Course.EVALUATED else 2)

    yield _undisturbed(make, course)
    for harness in harnesses:
        harness.stop()


def _undisturbed(make: NewCrash, course: Course) -> Undisturbed:
    crash = make()
    crash.harness.forks = None  # how long it takes counts from its program's first line
    crash.proxies.reset()
    started_at = time.monotonic()
    ended = crash.start(is_proxied=True).wait()
    duration_s = time.monotonic() - started_at
    assert ended.exit_code == 0, ended.messages()
    truth = crash.truth()
    assert_nothing_lost_or_doubled(truth)
    assert_ledger(truth, unheard=0)
    expected = (2, int(course is Course.EVALUATED))
    assert (truth.checkpoint["iterations"], truth.evaluations) == expected, truth.checkpoint["scores"]
    for number, write in enumerate(crash.proxies.writes, start=1):
        _LOGGER.info("%s, write %d: %s", course, number, write)
    return Undisturbed(make, truth, crash.proxies.writes, duration_s)


@pytest.fixture
def new_crash(undisturbed: Undisturbed) -> NewCrash:
    """Make runs of one department of projects of their own."""
    return undisturbed.new_crash


def assert_recovered(crash: CrashHarness, ended: Ended, undisturbed: Undisturbed) -> Truth:
    """The last worker finished the department, and it is as if nothing had happened."""
    assert ended.exit_code == 0, ended.messages()
    truth = crash.truth()
    assert_nothing_lost_or_doubled(truth)
    assert_same_story(truth, undisturbed.truth)
    return truth


@pytest.mark.parametrize("undisturbed", Course, indirect=True)
@pytest.mark.parametrize("phase", Phase)
def test_a_worker_killed_at_any_write_loses_and_doubles_nothing(
    new_crash: NewCrash, undisturbed: Undisturbed, phase: Phase
) -> None:
    """Whether the write had its effect or not; and at most the calls in flight are paid twice."""
    numbers = chosen(len(undisturbed.writes), len(phase))
    paid_twice = unnoted = 0
    for number in numbers:
        crash = new_crash()
        caught = crash.killed_at(number, phase)
        assert caught, f"write {number} did not come"
        truth = assert_recovered(crash, crash.run(), undisturbed)
        assert_ledger(truth)
        again = truth.charged.requests - undisturbed.truth.charged.requests
        assert 0 <= again <= IN_FLIGHT_MAX, caught
        paid_twice += again
        unnoted += truth.unnoted_requests
    _LOGGER.info(
        "killed at %d of %d writes, each %s: 0 lost, 0 doubled, %d calls paid twice, %d kept at their worst",
        len(numbers), len(undisturbed.writes), phase, paid_twice, unnoted,
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(KILL_SERIES))
def test_workers_killed_one_after_the_other_lose_and_double_nothing(
    new_crash: NewCrash, undisturbed: Undisturbed, seed: int
) -> None:
    """A node that crashes everything again and again: four workers, each killed somewhere."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    crash = new_crash()
    for _ in range(4):
        crash.killed_at(chance.randint(2, len(undisturbed.writes) // 2), chance.choice(list(Phase)))
    assert_ledger(assert_recovered(crash, crash.run(), undisturbed), unheard=4 * IN_FLIGHT_MAX)


def stopped_after(worker: Worker, delay_s: float) -> Ended | None:
    """Send SIGTERM after so long and return how the worker ended; None if it had ended by then."""
    try:
        worker.process.wait(delay_s)
    except subprocess.TimeoutExpired:
        worker.signal(signal.SIGTERM)
        return worker.wait()
    return None


def test_sigterm_at_random_moments_loses_and_doubles_nothing(
    new_crash: NewCrash, undisturbed: Undisturbed
) -> None:
    """Exit 143 after saving, or 0 if the department is finished; a successor brings it to the same end.

    -15 is a process that had not yet reached its first line; as a container's process 1 it would not die.
    """
    chance = random.Random(SIGTERMS)  # noqa: S311 - no secret
    codes: Counter[int] = Counter()
    while codes.total() < SIGTERMS:
        crash = new_crash()
        crash.harness.forks = None
        delay_s = chance.uniform(0, undisturbed.duration_s)
        ended = stopped_after(crash.start(is_proxied=False), delay_s)
        if ended is None:
            continue  # a quicker run than the undisturbed one
        codes[ended.exit_code] += 1
        truth = crash.truth()
        assert ended.exit_code in {143, 0, -signal.SIGTERM}, ended.messages()
        assert ended.exit_code or truth.checkpoint["finished"]
        assert ended.exit_code != -signal.SIGTERM or not truth.is_begun
        if ended.exit_code == 143 and truth.is_begun and ended.result and ended.result.iterations:
            assert ended.result.iterations == truth.checkpoint["iterations"]
            assert ended.result.items_created == len(truth.items)
        assert_ledger(assert_recovered(crash, crash.run(), undisturbed))
    _LOGGER.info("SIGTERM at %d moments: exit codes %s, 0 lost, 0 doubled", SIGTERMS, dict(codes))


@pytest.mark.parametrize("is_finished", [True, False], ids=["finished", "at work"])
def test_a_worker_stopped_in_a_write_and_woken_up_late_changes_nothing(
    new_crash: NewCrash, undisturbed: Undisturbed, *, is_finished: bool
) -> None:
    """Its write arrives when its successor has finished, or is at work; it ends fenced."""
    numbers = [n + 1 for n in chosen(len(undisturbed.writes) - 1, is_finished)]
    for number in numbers:
        crash = new_crash()
        freeze = Freeze()
        _, zombie = crash.start_with_trigger(number, Phase.REQUEST, freeze)
        assert freeze.is_frozen.wait(60), zombie.log_text()
        successor = crash.start(is_proxied=False)
        if is_finished:
            successor.wait()
        else:
            crash.wait_epoch(2)
        before = crash.truth()
        late = freeze.end(zombie)
        truth = assert_recovered(crash, successor.wait(), undisturbed)
        assert_ended_fenced(late)
        # The calls that it had sent before it was stopped, and no other after it woke up.
        assert truth.charged.requests - undisturbed.truth.charged.requests <= IN_FLIGHT_MAX
        assert_ledger(truth)
        if is_finished:
            assert (truth.checkpoint, truth.items, truth.nodes) == (
                before.checkpoint, before.items, before.nodes,
            )  # fmt: skip
    _LOGGER.info("woken up late in %d of %d writes: 0 changed", len(numbers), len(undisturbed.writes))


def assert_ended_fenced(late: Ended) -> None:
    """Or right at the end, when nothing was left to be refused."""
    assert late.result is not None
    assert (late.exit_code, late.result.reason) == (75, StopReason.FENCED) or (
        late.exit_code == 0 and late.result.reason in ENDS
    ), late.messages()


def test_mongodb_killed_at_a_write_loses_nothing_that_it_confirmed(
    new_crash: NewCrash, undisturbed: Undisturbed, mongodb_store: ServiceProcess
) -> None:
    """Its last tenth of a second would be lost without the journal; the worker waits and goes on."""
    own = [n for n, write in enumerate(undisturbed.writes, start=1) if write.service == "mongodb"]
    numbers = [own[n - 1] for n in chosen(len(own), 3)]
    for number in numbers:
        crash, is_killed = new_crash(), threading.Event()

        def kill_mongodb(_: Worker, is_killed: threading.Event = is_killed) -> bool:
            mongodb_store.kill()
            is_killed.set()
            return False

        _, worker = crash.start_with_trigger(number, Phase.RESPONSE, kill_mongodb)
        assert is_killed.wait(60), worker.log_text()
        mongodb_store.start()
        assert_ledger(assert_recovered(crash, worker.wait(), undisturbed), unheard=0)
    _LOGGER.info("MongoDB killed at %d of %d of its writes: 0 lost, 0 doubled", len(numbers), len(own))
