"""`make human-report DATA=folder`: how far the brain's scores agree with people.

Each row is one measure on one set: its figure, the 95 % interval by a bootstrap over whole documents, the
rank correlation with length taken out, the best of the simple ways (length, plain cosine, words in common),
how well people agree with each other, and the goal. Rows in which a simple way does as well come first.
DATA holds the sets as their repositories have them (docs/quality.md names them all); nothing is downloaded.
A set that is not there is named, with how to get it. What is kept back is read with --kept-back alone.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final, NoReturn

from rich.console import Console

from dev.artefacts.cache import Cache
from dev.artefacts.embedding_models import folder_name
from dev.artefacts.models.shipped_models import MODELS
from dev.progress import Reporter
from gather_brain.embeddings.onnx_model import CONFIG_FILE, ModelError, OnnxModel
from gather_contracts.result import ExitCode
from gather_worker.errors import InvalidInput, TryAgain, WorkerError
from tests.evals.coverage import Vectors
from tests.evals.human.brain_scores import BrainScores
from tests.evals.human.coverage_rows import key_point_rows, review_rows, turning_point_rows, unit_rows
from tests.evals.human.pair_rows import contradiction_rows, duplicate_rows, entailment_rows
from tests.evals.human.rank_statistics import RESAMPLES
from tests.evals.human.rated_rows import (
    rated_story_rows,
    specificity_rows,
    story_rows,
    suggestion_rows,
    summary_rows,
)
from tests.evals.human.sets.catalogue import (
    HANNA,
    KEY_POINTS,
    REALSUMM,
    SICK,
    SPECIFICITY,
    STORYSUMM,
    SUGGESTIONS,
    SUMMEVAL,
    TRIPOD,
    TTCW,
    PublicSet,
)
from tests.evals.human.tables import Comparison, Row, markdown_of
from tests.evals.pairs.language_pairs import PAIRS, language_rows, languages_table

Rows = Callable[..., Iterator[Comparison]]
MADE: Final[tuple[tuple[PublicSet, Rows], ...]] = (
    (REALSUMM, unit_rows), (SUMMEVAL, review_rows), (KEY_POINTS, key_point_rows),
    (TRIPOD, turning_point_rows), (SUMMEVAL, summary_rows), (TTCW, story_rows),
    (STORYSUMM, contradiction_rows), (SPECIFICITY, specificity_rows),
    (SUGGESTIONS, suggestion_rows), (SICK, entailment_rows),
    (HANNA, rated_story_rows),
)  # fmt: skip
"""Which rows each set gives."""
MODEL_FOLDERS: Final = "artefacts/*embedding-model*"
FEWEST, MOST = 10, 10_000
"""Samples of the bootstrap."""
PAIRS_HINT: Final = "PAN and STS-B (duplicates): PAIRS names no folder; docs/duplicates.md says what it holds"


def models_in(cache: Cache, wanted: Sequence[str]) -> dict[str, OnnxModel]:
    """Return the cache's embedding models by their names, or those that are wanted; of each the folder that
    this version makes, else the newest.

    Raises:
        InvalidInput: one that is wanted is not there, or cannot be loaded.
        TryAgain: there is none.
    """
    named = [name for name in wanted if not Path(name).is_dir()]
    folders = [Path(name) for name in wanted if name not in named]
    if named or not wanted:
        folders = [*cached_folders(cache), *folders]
    if not folders:
        raise TryAgain(f"{cache.root} has no embedding model; `make coverage-report` gets the default one")
    by_name = {name_of(folder): folder for folder in folders}
    if missing := set(named) - by_name.keys():
        raise InvalidInput(f"no model {', '.join(sorted(missing))}; there are: {', '.join(sorted(by_name))}")
    kept = {name_of(Path(name)) if name not in named else name for name in wanted} or by_name.keys()
    try:
        return {name: OnnxModel(folder, name) for name, folder in by_name.items() if name in kept}
    except ModelError as error:
        raise InvalidInput(str(error)) from error


def cached_folders(cache: Cache) -> list[Path]:
    """Return the cache's folders of embedding models, the newest last, and behind it what this version makes.

    Another version's model may have the same name and be newer.
    """
    current = {folder_name(word) for word in MODELS}
    found = (file.parent for file in cache.root.glob(f"{MODEL_FOLDERS}/model.onnx"))
    return sorted(found, key=lambda folder: (folder.name in current, folder.stat().st_mtime))


def name_of(folder: Path) -> str:
    """Return what a model's folder calls it; its own name where it says nothing."""
    try:
        said = json.loads((folder / CONFIG_FILE).read_bytes())["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return folder.name
    return str(said)


def rows_of(given: argparse.Namespace, brain: BrainScores, reporter: Reporter) -> Iterator[Row]:
    """Yield all rows of the sets that are there; raises InvalidInput for a broken file."""
    for public, make in MADE:
        if public.is_in(given.data):
            for is_kept_back in (False, True) if given.kept_back else (False,):
                with reporter.step(f"{brain.model}: {public.name}{', kept back' if is_kept_back else ''}"):
                    made = make(given.data, brain, kept_back=is_kept_back)
                    yield from (found.row(given.resamples) for found in made)
    if given.pairs:
        with reporter.step(f"{brain.model}: labelled pairs"):
            yield from (found.row(given.resamples) for found in duplicate_rows(given.pairs, brain))


def left_out(data: Path, pairs: Path | None, *, kept_back: bool) -> list[str]:
    """Return what is not measured, and how to get it or to measure it."""
    missing = dict.fromkeys(public for public, _ in MADE if not public.is_in(data))
    lines = [f"{public.name}: not in {data.name}; {public.how_to_get}" for public in missing if public.shown]
    lines += [] if pairs else [PAIRS_HINT]
    for public in dict.fromkeys(public for public, _ in MADE):
        if public.kept_back and not kept_back:
            lines.append(f"{public.name}, {public.kept_back}: kept back, measured with --kept-back")
        elif not public.shown and public in missing:
            lines.append(f"{public.name}: not in {data.name}; {public.how_to_get}")
    return lines


def report(given: argparse.Namespace, reporter: Reporter) -> str:
    """Return the report as Markdown; raises InvalidInput and TryAgain."""
    for folder in (given.data, given.pairs):
        if folder and not folder.is_dir():
            raise InvalidInput(f"{folder} is no folder")
    parts = []
    for name, model in models_in(Cache.from_environment(), given.model).items():
        brain = BrainScores(Vectors(model.embed), name)
        rows = list(rows_of(given, brain, reporter))
        with reporter.step(f"{name}: languages"):
            languages = languages_table(language_rows(brain.vectors, model.unread, given.language_pairs))
        table = markdown_of(rows) if rows else "Nothing was measured."
        parts.append(f"Embedding model {name}:\n\n{table}\n\nDifferent texts:\n\n{languages}\n")
    missing = left_out(given.data, given.pairs, kept_back=given.kept_back)
    if missing:
        parts.append("Not measured:\n\n" + "\n".join(f"- {line}" for line in missing) + "\n")
    return "\n".join(parts)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Say what is wrong, with the exit code of wrong input."""
        self.print_usage(sys.stderr)
        self.exit(int(ExitCode.NEVER), f"{self.prog}: {message}\n")


def _from_to(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number within bounds."""

    def read(text: str) -> int:
        if not text.isdecimal() or not least <= int(text[:9]) <= most:
            raise argparse.ArgumentTypeError(f"{least} to {most:,} are taken")
        return int(text)

    return read


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the arguments."""
    parser = _Parser(
        prog="make human-report", description=str(__doc__).split(": ", 1)[1],
        epilog="Exit codes: 0 printed, 64 something must be changed (a broken file is named with its line), "
        "75 there is no embedding model yet. A model takes some 10 minutes of one core.",
    )  # fmt: skip
    parser.add_argument("data", type=Path, metavar="DATA", help="folder with the public sets")
    parser.add_argument("--pairs", type=Path, metavar="PAIRS", help="folder with pan/ and stsb/, or *.jsonl")
    parser.add_argument(
        "--model", action="append", default=[], metavar="NAME",
        help="an embedding model of the cache by its name, or a folder with one; may be given again; without "
        "it all that the cache has",
    )  # fmt: skip
    parser.add_argument(
        "--kept-back", action="store_true", help="also what is kept back: for a comparison, not to choose by"
    )
    parser.add_argument(
        "--resamples", type=_from_to(FEWEST, MOST), default=RESAMPLES, metavar="N",
        help="samples of the bootstrap, 10 to 10,000 (default %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--language-pairs", type=_from_to(2, PAIRS), default=PAIRS, metavar="N",
        help="pairs of texts of each language, 2 to 200 (default %(default)s)",
    )  # fmt: skip
    return parser.parse_args(arguments)


def main() -> None:
    """Print the report; progress goes to standard error."""
    given = parsed()
    try:
        made = report(given, Reporter(Console(stderr=True, highlight=False)))
    except WorkerError as error:
        sys.stderr.write(f"make human-report: {error}\n")
        sys.exit(int(error.exit_code))
    sys.stdout.write(made)


if __name__ == "__main__":
    main()
