"""A run's snapshot as the page shows it: every word that a person reads, nothing of HTML; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from gather_bridge.page.figures import UNKNOWN, counted, duration, moment, money, rough, score
from gather_bridge.page.reason_words import (
    ENDED_ENUMS,
    RUN_ENUMS,
    SKIPPED_ENUMS,
    WAITING_ENUMS,
    ReasonWords,
    words_of,
)

Document = Mapping[str, Any]

FINAL_PHASES: Final = frozenset({"Succeeded", "Failed", "Cancelled"})
STOPPING_PHASES: Final = FINAL_PHASES | {"Cancelling"}
PACE_FROM: Final = 3
"""Iterations after which their pace says something."""
ACTIVITIES: Final = {"generating": "Writing notes", "deduplicating": "Weeding out duplicates"}
ENDINGS: Final = {"Failed": "Failed", "Skipped": "Skipped", "Cancelled": "Cancelled"}
REASON_ENUMS: Final = {"Running": WAITING_ENUMS, "Skipped": SKIPPED_ENUMS}
CURVE_SHOWN: Final = 12
"""Scores in a cell of the table, the latest; the chart has all."""


@dataclass(frozen=True, slots=True)
class Tile:
    """One number with what it means."""

    label: str
    value: str
    note: str = ""
    since: str = ""
    """A moment from which the page counts on; "": it stands."""
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """One department."""

    place: int
    slug: str
    name: str
    look: str
    """Of the style sheet: done, low, running, waiting, pending, failed, skipped, cancelled."""
    state: str
    reason: ReasonWords | None
    message: str
    threshold: float
    score: float | None
    facts: Sequence[str]
    since: str
    scores: str
    points: Sequence[tuple[int, float]]
    gaps: Sequence[Document]
    is_gaps_known: bool

    @property
    def to_go(self) -> str:
        """Return how far the score is from the threshold."""
        if self.score is None:
            return UNKNOWN
        missing = self.threshold - self.score
        return "reached" if missing <= 0 else score(missing)

    @property
    def says_why(self) -> bool:
        """Return whether there is more to say than the state."""
        is_plain = self.reason is None or self.reason.word in {"ThresholdReached", "DepartmentRunning"}
        return bool(self.message) or not is_plain


@dataclass(frozen=True, slots=True)
class RunView:
    """One run."""

    run: str
    project_id: str
    namespace: str
    phase: str
    reason: ReasonWords | None
    message: str
    is_final: bool
    is_complete: bool
    may_be_cancelled: bool
    tiles: Sequence[Tile]
    steps: Sequence[Step]
    notes: Sequence[Document] | None
    spoken: str
    """One sentence for who does not see the page."""
    at: datetime
    started_at: str
    ended_at: str
    thresholds: Sequence[float] = field(default=())


def run_view(document: Document, now: datetime) -> RunView:
    """Return what the page says of a snapshot, now."""
    phase = str(document["phase"])
    steps = [_step(place, each, phase) for place, each in enumerate(document["departments"], 1)]
    reason = None if phase == "Succeeded" else words_of(document["reason"], RUN_ENUMS)
    return RunView(
        run=document["run"],
        project_id=document["project_id"],
        namespace=document["namespace"],
        phase=phase,
        reason=reason if reason and reason.word != phase else None,
        message=document["message"],
        is_final=phase in FINAL_PHASES,
        is_complete=document["complete"],
        may_be_cancelled=phase not in STOPPING_PHASES,
        tiles=_tiles(document, now),
        steps=steps,
        notes=document["notes"],
        spoken=_spoken(phase, steps),
        at=now,
        started_at=document["started_at"],
        ended_at=document["ended_at"],
        thresholds=sorted({step.threshold for step in steps if step.threshold and step.points}),
    )


def _step(place: int, department: Document, run_phase: str) -> Step:
    phase = department["phase"]
    is_running = phase == "Running"
    reason = words_of(department["reason"], REASON_ENUMS.get(phase, ENDED_ENUMS))
    look, state = _state(department, reason, run_phase)
    points = [(int(p["iteration"]), float(p["quality_score"])) for p in department["curve"]]
    return Step(
        place=place,
        slug=department["slug"],
        name=department["name"] or department["slug"],
        look=look,
        state=state,
        reason=reason,
        message=department["message"],
        threshold=department["threshold"],
        score=points[-1][1] if points else None,
        facts=_facts(department),
        since=department["started_at"] if is_running else "",
        scores=_scores(points),
        points=points,
        gaps=department["gaps"] or (),
        is_gaps_known=department["gaps"] is not None,
    )


def _state(department: Document, reason: ReasonWords | None, run_phase: str) -> tuple[str, str]:
    phase = department["phase"]
    if phase == "Pending":
        # A run that has ended leaves no department waiting; what says so may come a moment later.
        waits = "Waits for its turn" if run_phase == "Running" else "Not begun"
        return ("pending", "Not begun" if run_phase in FINAL_PHASES else waits)
    if phase == "Running":
        if run_phase == "Cancelling":
            return "waiting", "Stopping, and saving what there is"
        if reason is not None and reason.word != "DepartmentRunning":
            return "waiting", "Waits"
        return "running", ACTIVITIES.get(department["activity"], "Starting")
    if phase == "Succeeded":
        is_enough = department["quality_score"] >= department["threshold"]
        return ("done", "Good enough") if is_enough else ("low", "Done, below its threshold")
    return str(phase).lower(), ENDINGS[phase]


def _facts(department: Document) -> list[str]:
    facts = []
    if department["iterations"] or department["iteration_limit"]:
        limit = department["iteration_limit"]
        of = f" of at most {limit}" if limit and department["phase"] == "Running" else ""
        facts.append(counted(department["iterations"], "iteration") + of)
    if department["iterations"]:
        facts.append(counted(department["items_created"], "note"))
    if dropped := department["duplicates_dropped"]:
        facts.append(f"{counted(dropped, 'duplicate')} dropped")
    if department["cost_usd"]:
        facts.append(money(department["cost_usd"]))
    if department["attempt"] > 1:
        facts.append(f"attempt {department['attempt']}")
    began, ended = moment(department["started_at"]), moment(department["ended_at"])
    if began and ended:
        facts.append(f"took {duration(ended - began)}")
    return facts


def _scores(points: Sequence[tuple[int, float]]) -> str:
    shown = " → ".join(score(value) for _, value in points[-CURVE_SHOWN:])
    return f"… → {shown}" if len(points) > CURVE_SHOWN else shown or UNKNOWN


def _tiles(document: Document, now: datetime) -> list[Tile]:
    count = document["departments_count"]
    if not count:
        return [_time(document, now)]
    dropped = [d["duplicates_dropped"] for d in document["departments"]]
    known = [number for number in dropped if number is not None]
    most = document["max_iterations"]
    is_scored = any(d["curve"] for d in document["departments"])
    return [
        Tile("Departments", f"{document['departments_ended']} of {count}", "ended"),
        Tile("Quality", score(document["quality_score"]) if is_scored else UNKNOWN, "mean of those scored"),
        Tile("Notes", f"{document['items_created']:,}", _dropped(known)),
        Tile("Iterations", f"{document['iterations']:,}", f"of at most {most:,}" if most else ""),
        _cost(document),
        _time(document, now),
        *_left(document, now),
    ]


def _dropped(known: Sequence[int]) -> str:
    return f"{counted(sum(known), 'duplicate')} dropped" if known else ""


def _cost(document: Document) -> Tile:
    usd, cap = document["cost_usd"], document["max_cost_usd"]
    tokens, most = document["tokens"], document["max_tokens"]
    notes, is_used = [], False
    if cap is not None:
        notes.append(f"{money(max(cap - usd, 0))} left of {money(cap)}")
        is_used = usd >= cap
    if most is not None:
        notes.append(f"{max(most - tokens, 0):,} left of {most:,} tokens")
        is_used = is_used or tokens >= most
    is_used = is_used or any(d["reason"] == "BudgetUsed" for d in document["departments"])
    notes = ["budget used", *notes] if is_used else notes or [counted(tokens, "token"), "no budget set"]
    return Tile("Cost", money(usd), ", ".join(notes), is_warning=is_used)


def _time(document: Document, now: datetime) -> Tile:
    began, ended = moment(document["started_at"]), moment(document["ended_at"])
    if began is None:
        return Tile("Time", UNKNOWN, "not begun")
    if ended is not None:
        return Tile("Time", duration(ended - began), "from start to end")
    return Tile("Time", duration(now - began), "since its start", since=document["started_at"])


def _left(document: Document, now: datetime) -> list[Tile]:
    began, done = moment(document["started_at"]), document["iterations"]
    if document["phase"] != "Running" or began is None:
        return []
    left = document["max_iterations"] - done
    if done < PACE_FROM or left <= 0:
        return [Tile("Time left", UNKNOWN, f"known after {PACE_FROM} iterations" if left > 0 else "")]
    return [Tile("Time left", rough((now - began) / done * left), "at most, at the pace so far")]


def _spoken(phase: str, steps: Sequence[Step]) -> str:
    at_work = [
        f"{step.name}: {step.state}"
        + (f", {score(step.score)} of {score(step.threshold)}" if step.score else "")
        for step in steps
        if step.look in {"running", "waiting"}
    ]
    return f"The run is {phase}. " + ". ".join(at_work)
