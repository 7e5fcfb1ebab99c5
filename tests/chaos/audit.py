"""What must be true at the end, read from the stores themselves; each breach in words.

What `docs/guarantees.md` allows is none: notes that wait in a checkpoint for the project's next worker,
events that no Redis took, attempts that were used up.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import redis

from gather_contracts import names
from gather_contracts.events import decode_event
from gather_contracts.reasons import RunPhase
from gather_contracts.result import StopReason
from gather_worker.llm.ledger import Ledger
from tests.chaos.charges import Charges
from tests.chaos.listeners import Listener
from tests.chaos.played_operator import RunPlayed
from tests.chaos.world import REDIS, World

Document = dict[str, Any]
CENT_USD: Final = 1e-8
"""Sums of many small numbers differ by less."""


@dataclass
class Counts:
    """What was looked at, for the table's last lines."""

    runs: int = 0
    succeeded: int = 0
    failed: int = 0
    departments: int = 0
    attempts: int = 0
    notes: int = 0
    requests: int = 0
    unheard: int = 0
    """Reserves that stand at their worst: nobody heard the answer."""
    evaluations: int = 0
    events: int = 0
    missed_events: int = 0
    """Iterations whose event no Redis took."""
    unindexed: int = 0
    """Notes that waited for the project's next worker."""
    reasons: Counter[str] = field(default_factory=Counter)


@dataclass
class Audit:
    """Compares a campaign's runs with the stores; `breaches` are by run's name."""

    world: World
    charges: Charges
    counts: Counts = field(default_factory=Counts)
    breaches: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def look(self, runs: Sequence[RunPlayed], listeners: Sequence[Listener]) -> None:
        """Look at all projects."""
        with redis.Redis.from_url(self.world.services[REDIS].uri) as client, self.world.mongodb() as mongodb:
            queue: Any = client.lrange(names.EVALUATION_QUEUE, 0, -1)
            sent = Counter(json.loads(text)["headers"]["id"] for text in queue)
            self.counts.evaluations = sent.total()
            by_project = defaultdict(list)
            for run in runs:
                by_project[run.project_id].append(run)
            for project_id, its_runs in by_project.items():
                database = mongodb[names.gather_database(project_id)]
                notes = list(database[names.ITEMS_COLLECTION].find())
                checkpoints = {c["_id"]: c for c in database[names.CHECKPOINTS_COLLECTION].find()}
                log: Any = client.xrange(names.event_log(project_id))
                events = [decode_event(fields[b"event"]) for _, fields in log]
                self._look_at_project(project_id, its_runs, notes, checkpoints, events, sent)
            for listener in listeners:
                log = client.xrange(names.event_log(listener.project_id))
                places = [(e.epoch, e.offset) for e in (decode_event(f[b"event"]) for _, f in log)]
                self._note(listener.project_id, _heard(listener, places))

    def _note(self, name: str, found: Iterator[str]) -> None:
        if said := list(found):
            self.breaches[name] += said

    def _look_at_project(  # noqa: PLR0917 - what a project has
        self, project_id: str, runs: list[RunPlayed], notes: list[Document], checkpoints: dict[str, Document],
        events: list[Any], sent: Counter[str],
    ) -> None:  # fmt: skip
        self.counts.notes += len(notes)
        self.counts.events += len(events)
        texts = Counter(" ".join(str(note["content"]).lower().split()) for note in notes)
        self._note(project_id, (f"{n} notes say: {text[:60]}" for text, n in texts.items() if n > 1))
        nodes = self._nodes(project_id)
        self._note(project_id, _brain_differs(notes, checkpoints.values(), nodes))
        self.counts.unindexed += sum(len(c["unindexed"]) for c in checkpoints.values())
        for run in runs:
            self._look_at_run(run, notes, checkpoints, events, sent)

    def _look_at_run(
        self, run: RunPlayed, notes: list[Document], checkpoints: dict[str, Document], events: list[Any],
        sent: Counter[str],
    ) -> None:  # fmt: skip
        name, counts = run.run.metadata.name, self.counts
        counts.runs += 1
        counts.succeeded += run.phase is RunPhase.SUCCEEDED
        counts.failed += run.phase is RunPhase.FAILED
        if run.ended_at is None or not all(d.reason for d in run.departments):
            self.breaches[name].append(f"no end or no reason: {run.phase} {run.reason}")
        own = {d.slug: checkpoints.get(names.checkpoint_id(run.uid, d.slug)) for d in run.departments}
        self._note(name, self._money(run, [c for c in own.values() if c]))
        for department in run.departments:
            counts.departments += 1
            counts.attempts += len(department.tries)
            for each in department.tries:
                reason = each.result.reason if each.result else ""
                counts.reasons[f"{each.exit_code} {reason}".strip()] += 1
            checkpoint = own[department.slug]
            if checkpoint is None:
                if department.has_succeeded:
                    self.breaches[name].append(f"{department.slug} is done without a checkpoint")
                continue
            mine = [
                n for n in notes
                if n["automationMetadata"]["runUid"] == run.uid
                and n["automationMetadata"]["department"] == department.slug
            ]  # fmt: skip
            said = _of_department(checkpoint, mine, has_succeeded=department.has_succeeded)
            self._note(name, (f"{department.slug}: {breach}" for breach in said))
            task_id = names.evaluation_task_id(run.uid, department.slug)
            self._note(name, _evaluations(department.slug, checkpoint, sent[task_id]))
            heard = [
                e for e in events if e.run_uid == run.uid and getattr(e, "department", "") == department.slug
            ]
            self._note(name, self._events(department.slug, checkpoint, heard))

    def _money(self, run: RunPlayed, checkpoints: list[Document]) -> Iterator[str]:
        """The ledger has at least what the model charged, and the cap holds for what it charged."""
        ledgers = [Ledger.model_validate(c["ledger"]) for c in checkpoints]
        charged_usd = self.charges.cost_usd.get(run.uid, 0.0)
        tokens = self.charges.tokens[run.uid]
        self.counts.requests += self.charges.requests[run.uid]
        self.counts.unheard += sum(len(ledger.reserved) for ledger in ledgers)
        if sum(ledger.tokens for ledger in ledgers) < tokens:
            yield f"the ledger has {sum(ledger.tokens for ledger in ledgers)} tokens, charged were {tokens}"
        # Without a cap no price is asked for before the first answer; one in flight then has none.
        is_priced = all(reserve.cost_usd for ledger in ledgers for reserve in ledger.reserved)
        total_usd = sum(ledger.total_usd for ledger in ledgers)
        if is_priced and total_usd < charged_usd - CENT_USD:
            yield f"the ledger has {total_usd:.6f} USD, charged were {charged_usd:.6f}"
        if run.cap_usd is not None and charged_usd > run.cap_usd + CENT_USD:
            yield f"{charged_usd:.6f} USD were charged, the cap is {run.cap_usd}"

    def _events(self, slug: str, checkpoint: Document, events: list[Any]) -> Iterator[str]:
        """Each at most once; what is missing no Redis took."""
        iterations = Counter(e.iteration for e in events if e.type == "iteration_complete")
        yield from (f"{slug}: {n} events of iteration {i}" for i, n in iterations.items() if n > 1)
        if (ends := sum(e.type == "department_complete" for e in events)) > 1:
            yield f"{slug}: {ends} events department_complete"
        self.counts.missed_events += len(checkpoint["scores"]) - len(iterations)

    def _nodes(self, project_id: str) -> dict[str, Document]:
        query = "MATCH (n:Node {projectId: $project}) RETURN n.id AS id, n.properties AS properties"
        with self.world.neo4j() as driver:
            records = driver.execute_query(query, project=project_id).records
        found = Counter(r["id"] for r in records)
        self._note(project_id, (f"{n} nodes {i}" for i, n in found.items() if n > 1))
        return {r["id"]: json.loads(r["properties"] or "{}") for r in records}


def _of_department(checkpoint: Document, notes: list[Document], *, has_succeeded: bool) -> Iterator[str]:
    """Every note is there once, and none that nobody accepted."""
    if checkpoint["itemsCreated"] != len(notes):
        yield f"{checkpoint['itemsCreated']} notes were counted, {len(notes)} are there"
    places = Counter(
        (n["automationMetadata"]["iteration"], n["automationMetadata"]["slot"])
        for n in notes if "slot" in n["automationMetadata"]
    )  # fmt: skip
    yield from (f"{n} notes of {place}" for place, n in places.items() if n > 1)
    if not has_succeeded:
        return
    if not checkpoint["finished"]:
        yield "is done, and its checkpoint is not"
    if checkpoint["pending"] or checkpoint["drafts"]:
        yield f"is done with {len(checkpoint['pending'])} notes pending"
    if (
        len(checkpoint["scores"]) != checkpoint["iterations"]
        and checkpoint["finished"] != StopReason.BUDGET_USED
    ):
        yield f"{checkpoint['iterations']} iterations have {len(checkpoint['scores'])} scores"


def _evaluations(slug: str, checkpoint: Document, sent: int) -> Iterator[str]:
    """One message where it says so, none where none is due."""
    state = checkpoint["evaluation"]
    if sent > 1 or (sent == 0 and state == "sent") or (sent and state == "none"):
        yield f"{slug}: {sent} evaluations queued, the checkpoint says {state}"


def _brain_differs(notes: list[Document], checkpoints: Any, nodes: dict[str, Document]) -> Iterator[str]:
    """The brain has what MongoDB has, but for what checkpoints say that it lacks."""
    waiting = {str(i) for c in checkpoints for i in c["unindexed"]}
    scores = {str(n["_id"]): n["automationMetadata"].get("qualityScore") for n in notes}
    if extra := nodes.keys() - scores.keys():
        yield f"{len(extra)} nodes without a note"
    if missing := scores.keys() - nodes.keys() - waiting:
        yield f"{len(missing)} notes without a node that wait for none"
    if stale := {
        i for i in nodes.keys() & scores.keys() - waiting if nodes[i].get("qualityScore") != scores[i]
    }:
        yield f"{len(stale)} nodes with another score than their notes"


def _heard(listener: Listener, places: list[tuple[str, int]]) -> Iterator[str]:
    """Who listens has each event of the log once and in order."""
    heard = listener.places()
    if listener.reloads:
        yield f"its listener was told {listener.reloads} times to reload"
    elif heard != places:
        lacking, more = len(set(places) - set(heard)), len(heard) - len(set(heard))
        yield f"its listener lacks {lacking} of {len(places)} events and has {more} twice"
