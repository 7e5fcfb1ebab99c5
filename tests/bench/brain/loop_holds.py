"""How long each endpoint holds the event loop of a running brain, with the longest bodies that it takes.

While a callback runs nobody else is served. Of each the loop's own processor time counts, so that what else
runs on the machine adds little; the whole time of a request stands beside it, and depends on that.
"""

import dataclasses
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Annotated, Any, Final

import httpx
import typer

from dev.artefacts.store_binaries import StoreArtefacts
from dev.progress import Reporter
from dev.rooms import BRAIN_KEY, brain_service
from dev.service_process import ServiceProcess
from dev.stores import neo4j_store
from dev.waiting import wait_for
from gather_contracts.brain import (
    CONTENT_MAX,
    CONTEXT_DEPARTMENTS_MAX,
    CONTEXT_LIMIT_MAX,
    COVERAGE_ITEMS_MAX,
    NODES_PER_BATCH_MAX,
)
from tests.bench.brain.seed import film_of
from tests.bench.brain.watched_brain import WATCH_FILE
from tests.bench.measure import this_machine
from tests.bench.report import table
from tests.bench.texts import NoteWriter

PROJECT: Final = "5e" * 12
DESCRIPTION_MAX: Final = 8192
TIMEOUT_S: Final = 600
FILES_S: Final = 60
FILM_SEED: Final = 7

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Text = Callable[[], str]


class Texts:
    """New texts of the greatest length."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._writer = NoteWriter(seed)
        self._film = film_of(self._writer)

    def english(self) -> str:
        """Film notes, one after the other."""
        text = ""
        while len(text) < CONTENT_MAX:
            text += f"{self._writer.note('story', self._film)} "
        return text[:CONTENT_MAX]

    def chinese(self) -> str:
        """Any characters, and commas as often as people write them."""
        signs = (chr(0x4E00 + self._random.randrange(5000)) for _ in range(CONTENT_MAX))
        return "".join("\uff0c" if place % 17 == 16 else sign for place, sign in enumerate(signs))


@dataclasses.dataclass(frozen=True, slots=True)
class Ask:
    """One request with the longest body."""

    title: str
    path: str
    body: dict[str, Any] | None = None
    query: Sequence[tuple[str, str]] = ()


def asks(text: Text, language: str) -> list[Ask]:
    """Return the requests; the texts of a write are new, those of what follows it are others."""

    def some(count: int) -> list[str]:
        return [text() for _ in range(count)]

    nodes = [
        {"type": "GatherItem", "content": each, "projectId": PROJECT,
         "properties": {"department": f"department-{index % CONTEXT_DEPARTMENTS_MAX}"}}
        for index, each in enumerate(some(NODES_PER_BATCH_MAX))
    ]  # fmt: skip
    items = [{"content": each} for each in some(COVERAGE_ITEMS_MAX)]
    of_project: dict[str, Any] = {"projectId": PROJECT}
    coverage = of_project | {"department": "story", "departmentDescription": text()[:DESCRIPTION_MAX]}
    named = [("previousDepartments[]", f"department-{index}") for index in range(CONTEXT_DEPARTMENTS_MAX)]
    fixed = [("projectId", PROJECT), ("department", "story"), ("limit", str(CONTEXT_LIMIT_MAX))]
    size = f"{CONTENT_MAX:,} characters, {language}"
    return [
        Ask(f"write 50 nodes of {size}", "/nodes/batch", {"nodes": nodes}),
        Ask(f"search by one text of {size}", "/search/duplicates", of_project | {"content": text()}),
        Ask(
            f"search by 50 texts of {size}",
            "/search/duplicates/batch",
            of_project | {"contents": some(50), "threshold": 0.0, "limit": 8},
        ),
        Ask(
            f"compare 50 pairs of {size}",
            "/search/similarity",
            of_project | {"pairs": [{"a": one, "b": one[::-1]} for one in some(50)]},
        ),
        Ask(f"coverage of 100 items of {size}", "/analyze/coverage", coverage | {"gatherItems": items}),
        Ask(f"coverage, a description of {size}", "/analyze/coverage", coverage | {"gatherItems": items[:1]}),
        Ask(f"context of 32 departments, {language}", "/context/department", None, [*fixed, *named]),
        Ask(f"list nodes with their texts, {language}", "/nodes", None, [*fixed[:1], ("include", "content")]),
    ]


@command.command()
def holds(
    repeats: Annotated[int, typer.Option(min=1, help="Requests of each kind; the least hold counts.")] = 3,
    only: Annotated[str, typer.Option(help="Only what has this in its title.")] = "",
) -> None:
    """Show how long each endpoint holds the loop of a brain, at its longest bodies."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    reporter = Reporter()
    reporter.say(this_machine().as_line())
    programs = StoreArtefacts.from_environment()
    with tempfile.TemporaryDirectory(prefix="gather-holds-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        for each in ("neo4j", "brain"):
            (folder / each).mkdir()
        store = neo4j_store(programs, folder / "neo4j")
        with store.running():
            place = folder / "watched.json"
            service = brain_service(
                folder / "brain", store.uri, programs.embedding_model(), {WATCH_FILE: str(place)}
            )
            watched = [sys.executable, "-m", "tests.bench.brain.watched_brain"]
            environment = {**service.environment, "PYTHONPATH": os.pathsep.join(sys.path)}
            brain = dataclasses.replace(service, command=watched, environment=environment)
            with brain.running():
                reporter.say(_measured(brain, place, repeats, only, reporter))


def _measured(brain: ServiceProcess, place: Path, repeats: int, only: str, reporter: Reporter) -> str:
    found: dict[str, list[tuple[float, str, float]]] = {}
    headers = {"Authorization": f"Bearer {BRAIN_KEY}"}
    with httpx.Client(base_url=f"{brain.uri}/api/v1", headers=headers, timeout=TIMEOUT_S) as client:
        node = {
            "type": "GatherItem",
            "content": "A project is there from its first node on.",
            "projectId": PROJECT,
        }
        _send(client, Ask("a first node", "/nodes/batch", {"nodes": [node]}))
        for number in range(repeats):
            texts = Texts(FILM_SEED + number)
            for language, text in (("English", texts.english), ("Chinese", texts.chinese)):
                for ask in (each for each in asks(text, language) if only in each.title):
                    with reporter.step(ask.title):
                        _longest(brain, place)
                        started = time.perf_counter()
                        _send(client, ask)
                        seconds = time.perf_counter() - started
                        found.setdefault(ask.title, []).append((*_longest(brain, place), seconds))
    head = ("", "longest hold, ms", "whole, s", "what held it")
    rows = []
    for title, each in found.items():
        (held, what, _), seconds = min(each), min(whole for _, _, whole in each)
        rows.append((title, f"{held:.0f}", f"{seconds:.1f}", what))
    return table(head, rows)


def _send(client: httpx.Client, ask: Ask) -> None:
    method = "GET" if ask.body is None else "POST"
    content = None if ask.body is None else json.dumps(ask.body).encode()
    kind = {"Content-Type": "application/json"}

    def send() -> httpx.Response:
        return client.request(method, ask.path, content=content, params=list(ask.query) or None, headers=kind)

    answer = send()
    while answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE:  # too long for one attempt; it goes on
        time.sleep(float(answer.headers["Retry-After"]))
        answer = send()
    if answer.status_code != HTTPStatus.OK:
        raise typer.Exit(f"{ask.title}: {answer.status_code} {answer.text[:200]}")  # type: ignore[arg-type]


def _longest(brain: ServiceProcess, place: Path) -> tuple[float, str]:
    """Return the longest hold in ms since this was last asked, and begin again."""
    place.unlink(missing_ok=True)
    os.kill(brain.pid, signal.SIGUSR1)
    wait_for("the brain to say what held its loop", place.exists, FILES_S, 0.02)
    found = json.loads(place.read_text(encoding="utf-8"))
    return float(found["ms"]), str(found["what"])


if __name__ == "__main__":
    command()
