"""The report on a judge as Markdown; pure."""

from collections.abc import Sequence
from typing import Any, Final

from tests.evals.judge.agreement import Estimate
from tests.evals.judge.effects import Effects
from tests.evals.judge.faults import PUBLISHED, Advice, Fault, Finding
from tests.evals.judge.set_agreement import SetAgreement
from tests.evals.model_tables import cell

NONE: Final = "-"
LEGEND: Final = (
    "In brackets: where the figure lies in 95 % of samples like this one. docs/quality.md says what the "
    "columns mean."
)


def markdown_of(
    head: dict[str, Any],
    sets: Sequence[SetAgreement],
    effects: Sequence[Effects],
    findings: Sequence[Finding],
    advice: Advice,
) -> str:
    """Return the report."""
    asked = f"{head['requests']} requests, {head['costUSD']:.4f} USD of {head['maxCostUSD']:g} at most"
    capped = "; **the cap was reached, and what is missing was not asked**" if head["isCapReached"] else ""
    lines = [
        f"# {head['model']} as a judge",
        "",
        f"At {head['endpoint']}, {head['at']}; {asked}{capped}.",
        "",
        "## What is wrong with it",
        "",
        *_findings(findings),
        "",
        "## What to set",
        "",
        *(f"- {line}" for line in advice.lines),
        *(() if advice.lines else ("Nothing can be said: there are too few answers.",)),
        "",
        *_agreement(sets),
        *_effects(effects),
        LEGEND,
    ]
    return "\n".join(lines) + "\n"


def _findings(findings: Sequence[Finding]) -> list[str]:
    if not findings:
        return ["Nothing that these samples can show."]
    lines = []
    for fault in Fault:
        found = [each for each in findings if each.fault is fault]
        if found:
            lines.append(f"- **{fault.value}**: {'; '.join(f'{each.of}: {each.words}' for each in found)}")
        if found and fault is Fault.YES:
            lines.append(f"  {PUBLISHED}")
    return lines


def _agreement(sets: Sequence[SetAgreement]) -> list[str]:
    rows = [
        _row(
            each.name, f"{each.items}", _shown(each.order_right), _shown(each.rank_correlation),
            _shown(each.kappa), _number(each.people_alpha), _shown(each.yes), _number(each.people_yes),
        )
        for each in sets
    ]  # fmt: skip
    columns = "set | items | order right | rank correlation | kappa | people's alpha | yes | people's yes"
    return ["## Agreement with people", "", *_table(columns), *rows, ""]


def _effects(sets: Sequence[Effects]) -> list[str]:
    rows = [
        _row(
            each.name, _shown(each.position, 1), _shown(each.length), _shown(each.repeats, 1),
            _shown(each.unquoted), f"{each.failed} of {each.failed + each.readings}",
        )
        for each in sets
    ]  # fmt: skip
    columns = "in | order, points | length | asked again, points | without a quote | failed"
    return ["## What else moves it", "", *_table(columns), *rows, ""]


def _row(*cells: str) -> str:
    return f"| {' | '.join(map(cell, cells))} |"


def _table(columns: str) -> list[str]:
    rest = columns.count("|")
    return [f"| {columns} |", f"| --- |{' ---: |' * rest}"]


def _shown(figure: Estimate | None, digits: int = 2) -> str:
    if figure is None:
        return NONE
    return f"{figure.value:.{digits}f} [{figure.low:.{digits}f}, {figure.high:.{digits}f}]"


def _number(value: float | None) -> str:
    return NONE if value is None else f"{value:.2f}"
