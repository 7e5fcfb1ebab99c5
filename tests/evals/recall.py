"""How many of the duplicates that comparing everything finds are found by the brain: `make bench-recall`.

The brain's own queries are asked, with vectors of the real model, on a Neo4j that this starts. The measured
project holds half of the texts; the other half are asked for, and so are texts of the project itself. Others'
nodes are made of the same texts, so that a question's nearest neighbours are mostly not the project's own.
"""

import asyncio
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final

import neo4j
import numpy as np
import typer

from dev.artefacts.store_binaries import StoreArtefacts
from dev.progress import Reporter, Step
from dev.stores import running
from gather_brain.auth.key_ring import Principal
from gather_brain.embeddings.slots import Model, Place
from gather_brain.store.database import Database
from gather_brain.store.neighbours import EXACT_MAX, Neighbours, Where
from gather_brain.vectors import Matrix, unit_rows
from gather_contracts.brain import DUPLICATE_THRESHOLD, NODES_PER_BATCH_MAX
from gather_contracts.text import text_hash
from tests.bench.brain.bare_model import BareModel
from tests.bench.texts import NoteWriter

QUESTIONS: Final = 100
"""Of texts that the project does not hold, and as many of texts that it does."""
THRESHOLDS: Final = (0.7, 0.8, 0.9)
LIMITS: Final = (10, 50)
SAME: Final = 1e-5
"""Cosines nearer to each other than that are the same to float32 in another order of sums."""
DEPARTMENTS: Final = ("story", "visual", "sound")
RARE: Final = "music"
RARE_EVERY: Final = 40
SCENE_EVERY: Final = 10
OTHERS_PER_PROJECT: Final = 10_000
ROWS_PER_WRITE: Final = 1000
NOTES: Final = 3000
TEXTS_MAX: Final = 10_000
"""Of a file, in the project; as many again are asked for."""
CROWD: Final = 1000
CROWD_SPREAD: Final = 0.5
"""Length of the noise on a vector of length 1: members of the crowd have a cosine of about .8."""
EXCLUDED: Final = 5
INDEX_TIMEOUT_S: Final = 600


@dataclass(frozen=True, slots=True)
class Nodes:
    """A project's nodes, as rows of the same order."""

    project: str
    texts: Sequence[str]
    rows: Matrix

    def id_of(self, index: int) -> str:
        """Return a node's id."""
        return f"{self.project}-{index}"


@dataclass(frozen=True, slots=True)
class Question:
    """A text to find neighbours of."""

    text: str
    row: Matrix


@dataclass(slots=True)
class Count:
    """How many neighbours there are and how many of them were found."""

    there: int = 0
    found: int = 0


@dataclass(slots=True)
class Measured:
    """One kind of question to one project: counts by threshold, seconds of each question."""

    name: str
    others: int
    filter: str
    limit: int
    candidates: int
    counts: dict[float, Count] = field(default_factory=lambda: {each: Count() for each in THRESHOLDS})
    seconds: list[float] = field(default_factory=list)


def department_of(index: int) -> str:
    """Return the department of a project's node."""
    return RARE if index % RARE_EVERY == 0 else DEPARTMENTS[index % len(DEPARTMENTS)]


def type_of(index: int) -> str:
    """Return the type of a project's node."""
    return "Scene" if index % SCENE_EVERY == 1 else "GatherItem"


def rows_of(nodes: Nodes, model: str) -> Iterator[dict[str, Any]]:
    """Return the nodes' properties, those that a search reads."""
    for index, (text, row) in enumerate(zip(nodes.texts, nodes.rows, strict=True)):
        yield {
            "projectId": nodes.project,
            "id": nodes.id_of(index),
            "type": type_of(index),
            "department": department_of(index),
            "content": text,
            "contentHash": text_hash(text),
            "properties": "{}",
            "createdAt": "",
            "serial": index,
            "embedding": row.tolist(),
            "embeddingModel": model,
        }


def write(driver: neo4j.Driver, nodes: Nodes, model: str) -> None:
    """Write a project's nodes."""
    rows = list(rows_of(nodes, model))
    for start in range(0, len(rows), ROWS_PER_WRITE):
        driver.execute_query(
            "UNWIND $rows AS row CREATE (n:Node) SET n = row", rows=rows[start : start + ROWS_PER_WRITE]
        )


def mixed(rows: Matrix, count: int, rng: np.random.Generator) -> Matrix:
    """Return vectors of others: each between two of the texts, and nearer to one of them."""
    one, other = rng.integers(0, len(rows), (2, count))
    return unit_rows(rows[one] + np.float32(0.5) * rows[other])


def crowd(row: Matrix, rng: np.random.Generator) -> Matrix:
    """Return copies of a vector and as many vectors around it."""
    noise = rng.standard_normal((CROWD, len(row)), np.float32)
    around = unit_rows(row + np.float32(CROWD_SPREAD) * unit_rows(noise))
    return np.concatenate([np.repeat(row[np.newaxis], CROWD, axis=0), around])


def expected(nodes: Nodes, question: Question, where: Where, limit: int) -> list[tuple[str, float]]:
    """Return the nearest nodes and their similarities by comparing all, down to the lowest threshold."""
    cosines = nodes.rows @ question.row
    same = text_hash(question.text)
    found = [
        (nodes.id_of(index), 1.0 if text_hash(nodes.texts[index]) == same else float(cosines[index]))
        for index in np.flatnonzero(cosines >= THRESHOLDS[0] + SAME).tolist()
        if nodes.id_of(index) not in where.excluded_ids
        and type_of(index) == where.type
        and where.department in {None, department_of(index)}
    ]
    return sorted(found, key=lambda each: -each[1])[:limit]


async def ask(
    neighbours: Neighbours, nodes: Nodes, question: Question, where: Where, measured: Measured
) -> None:
    """Ask one question and count what is missing; of equally near nodes any will do."""
    there = expected(nodes, question, where, measured.limit)
    started = time.perf_counter()
    known = await neighbours.look_up([text_hash(question.text)], where, measured.limit)
    measured.candidates = known.candidates
    (matches,) = await neighbours.nearest(
        question.row[np.newaxis], where, known, THRESHOLDS[0], measured.limit
    )
    measured.seconds.append(time.perf_counter() - started)
    similarities = [match.similarity for match in matches]
    for threshold, count in measured.counts.items():
        wanted = [similarity for _, similarity in there if similarity >= threshold + SAME]
        count.there += len(wanted)
        # Fewer are found where some are missing: what has no counterpart does not count.
        pairs = zip(wanted, similarities, strict=False)
        count.found += sum(found >= similarity - SAME for similarity, found in pairs)


async def measure(
    neighbours: Neighbours, nodes: Nodes, questions: Sequence[Question], name: str, others: int
) -> list[Measured]:
    """Ask a project all questions with all filters and limits."""
    found = []
    for limit in LIMITS:
        for label, kind, department, excluded in (
            ("none", "GatherItem", None, 0),
            ("department", "GatherItem", DEPARTMENTS[0], 0),
            ("rare department", "GatherItem", RARE, 0),
            ("type", "Scene", None, 0),
            (f"{EXCLUDED} nearest excluded", "GatherItem", None, EXCLUDED),
        ):
            measured = Measured(name, others, label, limit, 0)
            for question in questions:
                bare = Where(kind, department, ())
                nearest = [each for each, _ in expected(nodes, question, bare, excluded)]
                await ask(neighbours, nodes, question, Where(kind, department, nearest), measured)
            found.append(measured)
    return found


async def count_named(neighbours: Neighbours, nodes: Nodes) -> Count:
    """Ask, for each node, which earlier one it repeats; right is the nearest, or one as near."""
    count, seen = Count(), set[tuple[str, str]]()
    for start in range(0, len(nodes.texts), NODES_PER_BATCH_MAX):
        batch = range(start, min(start + NODES_PER_BATCH_MAX, len(nodes.texts)))
        named = await neighbours.earlier([nodes.id_of(index) for index in batch])
        for index in batch:
            nearest = nearest_earlier(nodes, index, seen)
            if nearest >= DUPLICATE_THRESHOLD + SAME:
                count.there += 1
                earlier = named.get(nodes.id_of(index))
                count.found += earlier is not None and earlier.similarity >= nearest - SAME
    return count


def nearest_earlier(nodes: Nodes, index: int, seen: set[tuple[str, str]]) -> float:
    """Return how near the nearest earlier node of the type is; `seen` are the texts before it."""
    text = (text_hash(nodes.texts[index]), type_of(index))
    if text in seen:
        return 1.0
    seen.add(text)
    earlier = [other for other in range(index) if type_of(other) == type_of(index)]
    return float((nodes.rows[earlier] @ nodes.rows[index]).max()) if earlier else 0.0


def read_texts(path: Path | None) -> tuple[list[str], list[str]]:
    """Return texts to hold and texts to ask for: a file's lines by halves, or notes and their likes."""
    if path is not None:
        lines = list(dict.fromkeys(filter(None, map(str.strip, path.read_text("utf-8").splitlines()))))
        order = np.random.default_rng(1).permutation(len(lines))
        shuffled = [lines[index] for index in order]
        half = min(len(lines) // 2, TEXTS_MAX)
        return shuffled[:half], shuffled[half : 2 * half]
    writer = NoteWriter(seed=1)
    film = writer.film()
    notes = [writer.note(writer.department(), film) for _ in range(NOTES)]
    likes = [writer.rephrased(note) for note in notes[:: NOTES // QUESTIONS * 2]]
    return notes, likes + [writer.note(writer.department(), film) for _ in likes]


def questions_of(nodes: Nodes, asked_for: Nodes) -> list[Question]:
    """Return questions that are not in the project and questions that are."""
    picked = np.random.default_rng(2)
    found = []
    for source in (asked_for, nodes):
        count = min(QUESTIONS, len(source.texts))
        chosen = picked.choice(len(source.texts), count, replace=False).tolist()
        found += [Question(source.texts[index], source.rows[index]) for index in chosen]
    return found


class Bench:
    """Fills a Neo4j step by step, as the skew between the projects grows, and asks at each step."""

    def __init__(
        self, driver: neo4j.Driver, database: Database, place: Place, held: Nodes, asked_for: Nodes
    ) -> None:
        self._driver = driver
        self._database = database
        self._place = place
        self._held = held
        self._asked_for = asked_for
        self._others = 0
        self._rng = np.random.default_rng(3)
        self.named = Count()

    async def run(self, step: Step) -> list[Measured]:
        """Measure equal projects, one of 600 nodes in 60,000, one of 100 in 100,000, and a crowd."""
        held = self._held
        few, fewer = (
            Nodes(secrets.token_hex(12), held.texts[:count], held.rows[:count]) for count in (600, 100)
        )
        rows = crowd(held.rows[0], self._rng)
        texts = [f"one of many {index}" for index in range(len(rows))]
        crowded = Nodes(secrets.token_hex(12), [*held.texts, *texts], np.concatenate([held.rows, rows]))
        near = [Question("a text near the crowd", row) for row in crowd(held.rows[0], self._rng)[CROWD:]]
        found: list[Measured] = []
        for name, nodes, others, questions in (
            ("1:1", held, len(held.texts), questions_of(held, self._asked_for)),
            ("1:100", few, 60_000, questions_of(few, self._asked_for)),
            ("1:1000", fewer, 100_000, questions_of(fewer, self._asked_for)),
            ("a crowd", crowded, 100_000, near[:QUESTIONS]),
        ):
            step.waits_for(f"{name}: writing")
            write(self._driver, nodes, self._place.model.name)
            self._add_others(others, step)
            step.waits_for(f"{name}: asking")
            principal = Principal("bench", frozenset({nodes.project}))
            neighbours = principal.open(self._database, nodes.project, self._place).neighbours
            found += await measure(neighbours, nodes, questions, name, others)
        step.waits_for("asking what each node of the crowd's project repeats")
        self.named = await count_named(neighbours, crowded)
        return found

    def _add_others(self, wanted: int, step: Step) -> None:
        while self._others < wanted:
            count = min(OTHERS_PER_PROJECT, wanted - self._others)
            rows = mixed(np.concatenate([self._held.rows, self._asked_for.rows]), count, self._rng)
            texts = [f"other {self._others + index}" for index in range(count)]
            write(self._driver, Nodes(secrets.token_hex(12), texts, rows), self._place.model.name)
            self._others += count
            step.waits_for(f"{self._others:,} nodes of others written")
        self._driver.execute_query("CALL db.awaitIndexes($timeout)", timeout=INDEX_TIMEOUT_S)


def table(found: Sequence[Measured]) -> str:
    """Return the figures as a table in Markdown."""
    head = ["skew", "others", "filter", "nodes left", "asked", "limit"]
    head += [f"recall ≥ {threshold:.2f}" for threshold in THRESHOLDS] + ["p50", "p95"]
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for each in found:
        candidates = str(each.candidates) if each.candidates <= EXACT_MAX else f"> {EXACT_MAX}"
        way = "all compared" if each.candidates <= EXACT_MAX else "index"
        recalls = [f"{count.found} of {count.there}" for count in each.counts.values()]
        spread = [f"{np.percentile(each.seconds, at) * 1000:.0f} ms" for at in (50, 95)]
        cells = [each.name, f"{each.others:,}", each.filter, candidates, way, str(each.limit)]
        lines.append(" | ".join([*cells, *recalls, *spread]))
    return "\n".join(f"| {line} |" for line in lines)


async def measure_on(
    uri: str, place: Place, held: Nodes, asked_for: Nodes, step: Step
) -> tuple[list[Measured], Count]:
    """Prepare Neo4j as the brain does, fill it and measure: searches, and what batches name."""
    with neo4j.GraphDatabase.driver(uri, auth=None) as driver:
        async with Database(uri, None, database="neo4j", timeout_s=60, pool_size=4) as database:
            await database.prepare()
            await database.prepare_vectors(place.slot, place.model.dimensions)
            bench = Bench(driver, database, place, held, asked_for)
            return await bench.run(step), bench.named


command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@command.command()
def recall(
    texts: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="A file of texts of your own, one a line."),
    ] = None,
) -> None:
    """Measure the recall of duplicate search against comparing every node; 1 if a neighbour is missed."""
    reporter = Reporter()
    programs = StoreArtefacts.from_environment()
    model = BareModel(programs.embedding_model())
    with reporter.step("Embedding texts"):
        held, asked_for = (
            Nodes(secrets.token_hex(12), some, model.embed(some)) for some in read_texts(texts)
        )
    place = Place("a", Model(model.name, held.rows.shape[1]))
    with running("neo4j", programs) as store, reporter.step("Measuring recall") as step:
        found, named = asyncio.run(measure_on(store.uri, place, held, asked_for, step))
    typer.echo(table(found))
    counts = [named, *(count for each in found for count in each.counts.values())]
    missed = sum(count.there - count.found for count in counts)
    typer.echo(f"of nodes that repeat an earlier one, {named.found:,} of {named.there:,} name the nearest")
    typer.echo(f"{sum(count.there for count in counts):,} results in all, of which {missed:,} were missed")
    raise typer.Exit(1 if missed else 0)


if __name__ == "__main__":
    command()
