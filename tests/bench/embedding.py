"""The default embedding model against its floor and against another export of the same network.

All are measured in turn, round by round, since the machine is seldom idle; the processor's time then says
more than the clock.
"""

import asyncio
import csv
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from numpy.typing import NDArray
from tokenizers import Tokenizer

from dev.artefacts.store_binaries import StoreArtefacts
from dev.progress import Reporter
from gather_brain.embeddings.onnx_model import OnnxModel
from gather_brain.embeddings.onnx_runtime import InferenceSession, SessionOptions
from gather_brain.embeddings.thread_provider import ThreadProvider
from gather_brain.vectors import Matrix
from tests.bench.measure import MS_PER_S, Spread, spread, this_machine
from tests.bench.report import table
from tests.bench.texts import NoteWriter

THREADS: Final = 2
SHAPES: Final = ((1, 110), (10, 110), (50, 110), (400, 22))
"""Texts and tokens of each: a search, batches of nodes, a coverage request."""
COVERAGE: Final = (400, 22)
SEARCH_EVERY_S: Final = 0.05
SEARCH_TOKENS: Final = 110
MARKERS: Final = 2
"""Tokens that BERT puts around a text."""
SCORE, FIRST, SECOND = 4, 5, 6
"""Columns of the STS benchmark's files."""

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Ids = NDArray[np.int64]
Embed = Callable[[Sequence[str]], object]


@dataclass(slots=True)
class Timed:
    """What a few runs took, in milliseconds."""

    walls: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def run(self, act: Callable[[], object]) -> None:
        """Run once and keep what it took."""
        wall, processor = time.perf_counter(), time.process_time()
        act()
        self.walls.append((time.perf_counter() - wall) * MS_PER_S)
        self.processor.append((time.process_time() - processor) * MS_PER_S)


class Texts:
    """Texts of a wanted number of tokens, none of them twice."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self._writer = NoteWriter(11)

    def of_tokens(self, count: int, tokens: int) -> list[str]:
        """Return `count` texts of `tokens` tokens each, markers included."""
        return [self._text(tokens) for _ in range(count)]

    def _text(self, tokens: int) -> str:
        department, film = self._writer.department(), self._writer.film()
        text = " ".join(self._writer.half(department, film) for _ in range(1 + tokens // 50))
        offsets = self._tokenizer.encode(text, add_special_tokens=False).offsets
        return text[: offsets[tokens - MARKERS - 1][1]]


class Floor:
    """The network alone, of the same tokens, in as many threads: no text is read and no vector made."""

    def __init__(self, model_file: Path, tokenizer: Tokenizer) -> None:
        options = SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        self._session = InferenceSession(str(model_file), options, providers=["CPUExecutionProvider"])
        self._tokenizer = tokenizer
        self._threads = ThreadPoolExecutor(THREADS)

    def prepared(self, texts: Sequence[str]) -> Callable[[], object]:
        """Return what runs the network on the texts."""
        ids = [np.array([self._tokenizer.encode(text).ids], np.int64) for text in texts]
        return lambda: list(self._threads.map(self._run, ids))

    def _run(self, ids: Ids) -> object:
        return self._session.run(None, {"input_ids": ids})


@command.command()
def embedding(
    rounds: Annotated[int, typer.Option(min=1, help="Measured rounds.")] = 15,
    pairs: Annotated[
        Path | None,
        typer.Option(help="Rated pairs as the STS benchmark has them (tab-separated): adds the agreement."),
    ] = None,
) -> None:
    """Measure the default embedding model; whether a time is good is for the reader to say."""
    reporter = Reporter()
    programs = StoreArtefacts.from_environment()
    folder, other = programs.embedding_model(), programs.reference_model()
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    model, reference = OnnxModel(folder, None), OnnxModel(other, None)
    texts = Texts(tokenizer)
    reporter.say(this_machine().as_line())
    reporter.say(f"{model.name} in {THREADS} threads; ms\n")
    with asyncio.Runner() as runner:
        ours, theirs = ThreadProvider(model, threads=THREADS), ThreadProvider(reference, threads=THREADS)
        variants: Mapping[str, Embed] = {
            "ours": lambda given: runner.run(ours.embed(given)),
            "32 bits": lambda given: runner.run(theirs.embed(given)),
        }
        floor = Floor(folder / "model.onnx", tokenizer)
        reporter.say(_speed_table(texts, variants, floor, rounds))
        reporter.say(runner.run(_fairness(ours, texts, rounds)))
        for provider in (ours, theirs):
            runner.run(provider.close())
    if pairs:
        reporter.say(_agreement(model, reference, pairs))


def _speed_table(texts: Texts, variants: Mapping[str, Embed], floor: Floor, rounds: int) -> str:
    head = ("texts x tokens", "of", "min", "median", "max", "CPU", "texts/s", "x floor", "x 32 bits (CPU)")
    body = []
    for count, tokens in SHAPES:
        timed = {name: Timed() for name in (*variants, "floor")}
        for _ in range(rounds):
            given = texts.of_tokens(count, tokens)
            for name, embed in variants.items():
                timed[name].run(lambda embed=embed, given=given: embed(given))  # type: ignore[misc]
            timed["floor"].run(floor.prepared(given))
        body += [_row(f"{count} x {tokens}", count, name, timed) for name in timed]
    return table(head, body)


def _row(shape: str, count: int, name: str, timed: Mapping[str, Timed]) -> tuple[str, ...]:
    wall, processor = spread(timed[name].walls), spread(timed[name].processor)
    floor, reference = spread(timed["floor"].walls), spread(timed["32 bits"].processor)
    return (
        shape,
        name,
        f"{wall.least:.1f}",
        f"{wall.median:.1f}",
        f"{wall.most:.1f}",
        f"{processor.median:.1f}",
        f"{count / wall.median * MS_PER_S:.0f}",
        f"{wall.median / floor.median:.2f}",
        f"{processor.median / reference.median:.2f}",
    )


async def _fairness(provider: ThreadProvider, texts: Texts, rounds: int) -> str:
    """How long one search's text takes while a coverage request's texts are computed, again and again."""
    waits: list[float] = []
    longs: list[float] = []
    for _ in range(rounds):
        given, searches = texts.of_tokens(*COVERAGE), texts.of_tokens(100, SEARCH_TOKENS)
        started = time.perf_counter()
        long = asyncio.create_task(provider.embed(given))
        for text in islice(searches, 100):
            await asyncio.wait((long,), timeout=SEARCH_EVERY_S)
            if long.done():
                break
            asked = time.perf_counter()
            await provider.embed([text])
            waits.append((time.perf_counter() - asked) * MS_PER_S)
        await long
        longs.append((time.perf_counter() - started) * MS_PER_S)
    return (
        f"\na text of {SEARCH_TOKENS} tokens while {COVERAGE[0]} of {COVERAGE[1]} are computed: "
        f"{_line(spread(waits))}; those meanwhile: {_line(spread(longs))}"
    )


def _line(found: Spread) -> str:
    return f"min {found.least:.0f}, median {found.median:.0f}, p95 {found.p95:.0f}, max {found.most:.0f} ms"


def _agreement(model: OnnxModel, reference: OnnxModel, pairs: Path) -> str:
    with pairs.open(encoding="utf-8", newline="") as file:
        rated = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    scores = np.array([float(line[SCORE]) for line in rated])
    texts = [line[column] for column in (FIRST, SECOND) for line in rated]
    vectors: list[Matrix] = [each.embed(texts) for each in (model, reference)]
    similar = [(rows[: len(rated)] * rows[len(rated) :]).sum(axis=1) for rows in vectors]
    near = (vectors[0] * vectors[1]).sum(axis=1)
    ours, theirs = (_rank_correlation(each, scores) for each in similar)
    off = np.abs(similar[0] - similar[1])
    return (
        f"\n{len(rated)} rated pairs: rank correlation {ours:.4f}, in 32 bits {theirs:.4f}; "
        f"cosine of a vector to that in 32 bits: median {np.median(near):.4f}, least {near.min():.4f}; "
        f"pairs are off by {np.sqrt((off**2).mean()):.4f} (root mean square), at most {off.max():.4f}"
    )


def _rank_correlation(left: NDArray[np.floating], right: NDArray[np.floating]) -> float:
    """Spearman's, equal values having the mean of their ranks."""
    return float(np.corrcoef(_ranks(left), _ranks(right))[0, 1])


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    means: NDArray[np.float64] = (last - (counts - 1) / 2)[place]
    return means


if __name__ == "__main__":
    command()
