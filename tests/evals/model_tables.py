"""The report on a model as Markdown; pure."""

from collections.abc import Callable
from typing import Any, Final

PREVIEW: Final = "preview"
DUPLICATES: Final = "duplicates"
QUALITY: Final = "quality"


def markdown_of(found: dict[str, Any]) -> str:
    """Return the report as tables."""
    lines = [
        f"# {found['model']}",
        "",
        f"Judge {found['judge']}, at {found['endpoint']}, {found['at']}; embeddings {found['embeddings']}.",
        "",
        "| part | USD | tokens | seconds | result |",
        "| --- | ---: | ---: | ---: | --- |",
        *(_part_row(name, found[name]) for name in (PREVIEW, DUPLICATES, QUALITY)),
        f"| all | {found['costUSD']:.4f} | {found['tokens']:,} | {found['seconds']:g} | {_cap(found)} |",
        "",
        *_preview_table(found[PREVIEW]),
        *_pairs_table(found[DUPLICATES]),
        *_quality_table(found[QUALITY]),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _part_row(name: str, part: dict[str, Any]) -> str:
    result = part.get("problem") or _RESULTS[name](part)
    return f"| {name} | {part['costUSD']:.4f} | {part['tokens']:,} | {part['seconds']:g} | {cell(result)} |"


def _preview_result(part: dict[str, Any]) -> str:
    rows = [row for row in part["departments"] if "problem" not in row]
    notes, dropped = (sum(row[key] for row in rows) for key in ("notes", "duplicates"))
    scores = [row["score"] for row in rows if row["score"] is not None]
    score = f"score {sum(scores) / len(scores):.1f}" if scores else "no score"
    answered = f"{len(rows)} of {len(part['departments'])} answers"
    return f"{notes} valid notes in {answered}, {dropped} duplicates, {score}"


def _pairs_result(part: dict[str, Any]) -> str:
    right = sum(kind["right"] for kind in part["kinds"].values())
    return f"{right} of {part['pairs']} pairs right, {part['pairs'] - part['judged']} without a verdict"


def _quality_result(part: dict[str, Any]) -> str:
    spread = part["figures"].get("repeats: deviation of score")
    said = "" if spread is None else f", deviation of the same notes' score {spread:.2f} points"
    return f"{part['verdicts'] - part['failed']} of {part['verdicts']} verdicts{said}"


_RESULTS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    PREVIEW: _preview_result, DUPLICATES: _pairs_result, QUALITY: _quality_result
}  # fmt: skip


def _cap(found: dict[str, Any]) -> str:
    cap = f"{found['maxCostUSD']:g} USD at most"
    return f"{cap}; **the cap was reached**" if found["isCapReached"] else cap


def _preview_table(part: dict[str, Any]) -> list[str]:
    if "departments" not in part:
        return []
    head = "| department | valid notes | duplicates | score | USD | seconds | written by |"
    lines = ["## Notes written", "", head, "| --- | ---: | ---: | ---: | ---: | ---: | --- |"]
    for row in part["departments"]:
        middle = (
            "| | | "
            if "problem" in row
            else f"| {row['notes']} | {row['duplicates']} | {_number(row['score'])} "
        )
        last = cell(row.get("problem") or row["writer"])
        lines.append(f"| {row['department']} {middle}| {row['costUSD']:.4f} | {row['seconds']:g} | {last} |")
    return [*lines, ""]


def _pairs_table(part: dict[str, Any]) -> list[str]:
    if "kinds" not in part:
        return []
    head = f"Precision {_number(part['precision'], 3)}, recall {_number(part['recall'], 3)}."
    lines = ["## Duplicates", "", head, "", "| pairs | | judged | right |", "| --- | ---: | ---: | ---: |"]
    for kind, found in part["kinds"].items():
        lines.append(f"| {kind} | {found['pairs']} | {found['judged']} | {found['right']} |")
    return [*lines, ""]


def _quality_table(part: dict[str, Any]) -> list[str]:
    lines = [f"| {fact} | {value:.2f} |" for fact, value in part.get("figures", {}).items()]
    head = ["## Quality", "", "docs/quality.md says what the rows mean.", "", "| | |", "| --- | ---: |"]
    return [*head, *lines, ""] if lines else []


def _number(value: float | None, digits: int = 1) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def cell(text: str) -> str:
    """Return a text fit for a table's cell."""
    return " ".join(text.split()).replace("|", "\\|")
