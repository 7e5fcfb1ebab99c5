"""Pairs made by hand to differ in what turns their meaning, in 18 languages, and a table of them."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from dev.paths import ROOT
from gather_worker.calibrate.cosines import cosines_of
from gather_worker.calibrate.labelled_pairs import LabelledPair
from gather_worker.calibrate.report import ALONE, FLAT, STAGES, ContrastRow, contrast_row
from gather_worker.duplicates.calibration import Decision
from gather_worker.services.brain import Brain
from tests.bench.report import table

FILES: Final = ("turned", "turned_later")
"""The later ones were made when the tables of words stood, and say more of what those miss."""
SAME: Final = "same"
TURNED: Final = ("negation", "number", "opposite", "role")


def turned_pairs() -> dict[tuple[str, str], list[LabelledPair]]:
    """Return the pairs by file and language, and "turned" or "same"; each alone and behind a sentence."""
    found = {}
    for name, (code, entry) in ((file, each) for file in FILES for each in _entries(file).items()):
        for part, kinds in (("turned", TURNED), (SAME, (SAME,))):
            found[f"{name}: {code}", part] = [
                LabelledPair(a=before + one, b=before + other, duplicate=part == SAME)
                for before in ("", entry["context"])
                for kind in kinds
                for one, other in entry.get(kind, ())
            ]
    return found


def _entries(name: str) -> Mapping[str, Any]:
    found: dict[str, Any] = json.loads(
        (ROOT / f"tests/data/duplicates/{name}.json").read_text(encoding="utf-8")
    )
    return found


async def turned_rows(brain: Brain, decision: Decision) -> list[tuple[ContrastRow, ContrastRow]]:
    """Return for each language what is called a duplicate of the turned pairs, and of the others."""
    made = turned_pairs()
    asked = [pair for pairs in made.values() for pair in pairs]
    cosines = iter((await cosines_of(brain, asked, lambda _done, _total: None))[1])
    rows = {
        key: contrast_row(key[0], pairs, [next(cosines) for _ in pairs], decision)
        for key, pairs in made.items()
    }
    return [(rows[name, "turned"], rows[name, SAME]) for name, part in rows if part == SAME]


def turned_table(rows: Sequence[tuple[ContrastRow, ContrastRow]]) -> list[str]:
    """Return the shares that are called duplicates, by language."""
    columns = [
        "shipped calibration", "pairs that differ", "median cosine", FLAT, ALONE, STAGES, "pairs to a model",
        "pairs that say the same", f"{ALONE} ", f"{STAGES} ",
    ]  # fmt: skip
    lines = [
        [
            turned.kind,
            str(turned.pairs),
            f"{turned.median_cosine:.3f}",
            *(f"{share:.0%}" for share in (turned.flat, turned.alone, turned.stages, turned.judged_share)),
            str(same.pairs),
            *(f"{share:.0%}" for share in (same.alone, same.stages)),
        ]
        for turned, same in rows
    ]
    return [table(columns, lines), ""]
