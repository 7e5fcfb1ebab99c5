"""When the alerts on the brain fire, and when not; played on the brain's own metrics."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from gather_brain.metrics import Metrics
from tests.support.alerts.recorded_series import Case, Play, Series, nothing, recorded

BATCH: Final = "/api/v1/nodes/batch"
SEARCH: Final = "/api/v1/search/duplicates"
CONTEXT: Final = "/api/v1/context/department"
COVERAGE: Final = "/api/v1/analyze/coverage"
METHODS: Final = {CONTEXT: "GET"}

Answers = tuple[int, str, int, float]
"""How many between two scrapes, of which endpoint, with which status, each after how many seconds."""
Record = Callable[[Sequence[str]], list[Series]]


def brain(*plays: tuple[float, Sequence[Answers]]) -> Record:
    """Return what records a brain that answers so, for so many minutes each."""

    def record(names: Sequence[str]) -> list[Series]:
        metrics = Metrics()
        metrics.ready(True)
        return recorded(
            metrics.registry,
            names,
            [(m, partial(_answer, metrics, each) if each else nothing) for m, each in plays],
        )

    return record


def _answer(metrics: Metrics, answers: Sequence[Answers]) -> None:
    for count, endpoint, status, seconds in answers:
        for _ in range(count):
            metrics.request(endpoint, METHODS.get(endpoint, "POST"), status, seconds)
            if status == 429:
                metrics.limit_exceeded(endpoint)


def small_batches(*plays: tuple[float, Sequence[tuple[int, float]]]) -> Record:
    """Return what records a brain that answers small batches: so many, each after so many seconds."""

    def record(names: Sequence[str]) -> list[Series]:
        metrics = Metrics()

        def answer(batches: Sequence[tuple[int, float]]) -> None:
            for count, seconds in batches:
                for _ in range(count):
                    metrics.small_batch(seconds)

        return recorded(
            metrics.registry, names, [(m, partial(answer, each) if each else nothing) for m, each in plays]
        )

    return record


def readiness(*plays: tuple[float, bool]) -> Record:
    """Return what records a brain that is ready, or not, for so many minutes each."""

    def record(names: Sequence[str]) -> list[Series]:
        metrics = Metrics()
        return recorded(metrics.registry, names, [(m, partial(metrics.ready, is_so)) for m, is_so in plays])

    return record


def two_brains(names: Sequence[str]) -> list[Series]:
    """Record a busy release without a failure, and a small one beside it all of whose answers fail."""
    good, bad = Metrics(), Metrics()
    plays: list[Play] = [(20, partial(_answer, good, [(40, SEARCH, 200, 0.1)]))]
    failing: list[Play] = [(20, partial(_answer, bad, [(2, SEARCH, 500, 0.1)]))]
    return [
        *recorded(good.registry, names, plays, "production"),
        *recorded(bad.registry, names, failing),
    ]


def replicas(names: Sequence[str]) -> list[Series]:
    """Record a replica that is not ready beside one that is."""
    made: list[Series] = []
    for pod, is_ready in (("one", True), ("other", False)):
        metrics = Metrics()
        metrics.ready(is_ready)
        seen = recorded(metrics.registry, names, [(10, nothing)])
        made += [{**each, "series": each["series"].replace("}", f',pod="{pod}"}}')} for each in seen]
    return made


def shares(alert: str, one_in: int) -> list[Case]:
    """Return the cases of a share of failures."""
    failed: Answers = (1, SEARCH, 500, 0.1)

    def ok(count: int) -> Answers:
        return (count, SEARCH, 200, 0.1)

    return [
        Case(alert, True, f"one in {one_in - 1} fails", brain((20, [ok(one_in - 2), failed]))),
        Case(alert, False, f"one in {one_in} fails", brain((20, [ok(one_in - 1), failed]))),
        Case(alert, True, "all fail of a busy one's small neighbour", two_brains),
        Case(
            alert, True, "strangers and callers over their limit hide no failures",
            brain((20, [ok(8), failed, (30, SEARCH, 401, 0), (30, SEARCH, 429, 0)])),
        ),
        Case(alert, False, "refusals are no failures", brain((20, [ok(5), (5, SEARCH, 400, 0)]))),
        Case(
            alert, False, "one of two requests of a night fails",
            brain((60, []), (0.5, [ok(1), failed]), (4.5, [])),
        ),
        Case(
            alert, False, "one of two requests fails, again and again",
            brain(*[(0.5, [ok(1), failed]), (4.5, [])] * 6),
        ),
        Case(
            alert, True, "every request fails, at one a minute",
            brain(*[(0.5, [failed]), (0.5, [])] * 20),
        ),
        Case(
            alert, False, "a burst of failures that is over",
            brain((20, [ok(9)]), (0.5, [failed] * 9), (7, [ok(9)])),
        ),
        Case(alert, False, "nobody asks", brain((20, []))),
    ]  # fmt: skip


def slowness(alert: str, endpoint: str, limit_s: float) -> list[Case]:
    """Return the cases of a 95th percentile."""
    fast, slow = limit_s / 2, limit_s * 1.001

    def answers(count: int, seconds: float, status: int = 200) -> Answers:
        return (count, endpoint, status, seconds)

    return [
        Case(alert, True, "one in sixteen too slow", brain((25, [answers(15, fast), answers(1, slow)]))),
        Case(alert, False, "one in twenty too slow", brain((25, [answers(19, fast), answers(1, slow)]))),
        Case(alert, False, "all exactly at the limit", brain((25, [answers(5, limit_s)]))),
        Case(alert, True, "all beyond every bound", brain((25, [answers(2, 1000)]))),
        Case(
            alert, True, "quick refusals thin nothing out",
            brain((25, [answers(15, fast), answers(1, slow), answers(60, 0, 429), answers(60, 0, 400)])),
        ),
        Case(
            alert, False, "slow failures are the other alert's",
            brain((25, [answers(20, fast), answers(20, slow, 500)])),
        ),
        Case(
            alert, False, "one of two requests of a night is slow",
            brain((60, []), (0.5, [answers(1, fast), answers(1, slow)]), (6, [])),
        ),
        Case(alert, False, "nobody asks", brain((25, []))),
    ]  # fmt: skip


def _small_batches(alert: str, limit_s: float) -> list[Case]:
    fast, slow = limit_s / 2, limit_s * 1.001
    return [
        Case(alert, True, "one in sixteen too slow", small_batches((25, [(15, fast), (1, slow)]))),
        Case(alert, False, "one in twenty too slow", small_batches((25, [(19, fast), (1, slow)]))),
        Case(alert, False, "two of a night", small_batches((60, []), (0.5, [(2, slow)]), (6, []))),
        Case(alert, False, "only large batches are slow", brain((25, [(20, BATCH, 200, slow)]))),
    ]


LIMITED: Final = {"endpoint": SEARCH, "namespace": "film"}
BRAIN_CASES: Final = [
    Case("GatherBrainUnavailable", True, "not scraped", lambda _: [], {}),
    Case("GatherBrainUnavailable", False, "ready", readiness((10, True))),
    Case("GatherBrainUnavailable", True, "scraped, but Neo4j is lost", readiness((10, True), (5, False))),
    Case("GatherBrainUnavailable", False, "lost for a minute", readiness((10, True), (1, False), (2, True))),
    Case("GatherBrainUnavailable", False, "one of two replicas is ready", replicas),
    *shares("GatherBrainFails", 20),
    *shares("GatherBrainErrors", 50),
    Case(
        "GatherBrainLimitsHit", True, "21 of 100 over the limit",
        brain((20, [(79, SEARCH, 200, 0.1), (21, SEARCH, 429, 0)])), LIMITED,
    ),
    Case(
        "GatherBrainLimitsHit", False, "20 of 100 over the limit",
        brain((20, [(80, SEARCH, 200, 0.1), (20, SEARCH, 429, 0)])),
    ),
    Case(
        "GatherBrainLimitsHit", True, "another endpoint's requests do not count",
        brain((20, [(90, BATCH, 200, 0.1), (79, SEARCH, 200, 0.1), (21, SEARCH, 429, 0)])), LIMITED,
    ),
    Case(
        "GatherBrainLimitsHit", False, "one of two requests of a night",
        brain((60, []), (0.5, [(1, SEARCH, 200, 0.1), (1, SEARCH, 429, 0)]), (4.5, [])),
    ),
    *[
        case
        for word, endpoint, promise_s in (
            ("Duplicates", SEARCH, 0.5), ("Context", CONTEXT, 0.8),
            ("Coverage", COVERAGE, 1.5), ("Batch", BATCH, 4),
        )
        for very, times in (("Very", 2), ("", 1.5))
        for case in slowness(f"GatherBrain{word}{very}Slow", endpoint, round(promise_s * times, 3))
    ],
    *_small_batches("GatherBrainSmallBatchVerySlow", 2),
    *_small_batches("GatherBrainSmallBatchSlow", 1.5),
]  # fmt: skip
"""The promised times are those of the requirements ("Performance SLAs"); alerts: at 2 and 1.5 times these."""
