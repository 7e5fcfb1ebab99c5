"""What an export says of a run and of its departments, from the run's snapshot and the checkpoints; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from gather_contracts.text_cleaning import clean, shortened

PARTS: Final = ("coverage", "depth", "coherence", "actionability")
LISTED_MAX: Final = 40
"""Gaps, contradictions or recommendations of one department; a checkpoint has 20 at most."""
TEXT_MAX: Final = 600
UNNUMBERED: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Gap:
    """What the last coverage missed."""

    aspect: str
    severity: str = ""
    coverage: float | None = None
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class Department:
    """One department of a run, or of a project's last run that had it."""

    slug: str
    name: str = ""
    run: str = ""
    phase: str = ""
    reason: str = ""
    model: str = ""
    score: float | None = None
    threshold: float | None = None
    iterations: int = 0
    items: int = 0
    documents: int = 0
    """Of this export."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """Of the last measured score: coverage, depth, coherence, actionability."""
    gaps: tuple[Gap, ...] = ()
    contradictions: tuple[str, ...] = ()
    recommendations: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return its name, or its slug where nobody has said one."""
        return self.name or self.slug


@dataclass(frozen=True, slots=True)
class Cover:
    """What an export is of."""

    project_id: str
    run: str = ""
    """Empty: the whole project, people's notes too."""
    department: str = ""
    """Empty: all."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Of the run's snapshot; empty where there is none."""
    changed: str = ""
    """When the last of them was made, as in events; "" where nobody knows."""


FACTS: Final = (
    "run_uid", "phase", "reason", "message", "started_at", "ended_at", "max_iterations", "iterations",
    "items_created", "quality_score", "cost_usd", "tokens",
)  # fmt: skip


def facts_of(snapshot: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a cover shows of a snapshot."""
    return {name: snapshot[name] for name in FACTS if name in snapshot} if snapshot else {}


def departments_of(
    snapshot: Mapping[str, Any] | None,
    checkpoints: Sequence[Mapping[str, Any]],
    names: Mapping[str, str],
    counts: Mapping[str, int],
) -> list[Department]:
    """Return the departments in the run's order; of `checkpoints` the first of each department counts.

    The order is that of `codeDepNumber`, by which a run takes them; `names` and `counts` are those of
    departments that have notes, by slug.
    """
    kept: dict[str, Mapping[str, Any]] = {}
    for checkpoint in checkpoints:
        kept.setdefault(_text(checkpoint.get("department")), checkpoint)
    shown = {_text(each.get("slug")): each for each in (snapshot or {}).get("departments") or []}
    order = list(shown) + sorted(kept.keys() - shown.keys(), key=lambda slug: (_place(kept[slug]), slug))
    order += sorted(names.keys() - {*order})
    return [
        replace(
            _department(slug, shown.get(slug, {}), kept.get(slug, {}), _text(names.get(slug))),
            documents=counts.get(slug, 0),
        )
        for slug in order
        if slug
    ]


def _department(slug: str, shown: Mapping[str, Any], kept: Mapping[str, Any], name: str) -> Department:
    quality, findings = _mapping(kept.get("quality")), _mapping(kept.get("findings"))
    scores = [score for each in kept.get("scores") or [] if (score := _number(each)) is not None]
    has_score = bool(scores or shown.get("curve"))
    gaps = tuple(filter(None, map(_gap, _listed(findings.get("gaps"))))) or tuple(
        Gap(text) for each in _listed(kept.get("gaps")) if (text := _text(each))
    )
    return Department(
        slug=slug,
        name=_text(shown.get("name")) or name or _text(slug),
        run=_text(kept.get("run")),
        phase=_text(shown.get("phase")),
        reason=_text(shown.get("reason") or kept.get("finished")),
        model=_text(shown.get("model")),
        score=(scores[-1] if scores else _number(shown.get("quality_score"))) if has_score else None,
        threshold=_number(shown.get("threshold")) or _number(kept.get("threshold")),
        iterations=int(max(_number(shown.get("iterations")) or 0, _number(kept.get("iterations")) or 0)),
        items=int(max(_number(shown.get("items_created")) or 0, _number(kept.get("itemsCreated")) or 0)),
        parts={name: part for name in PARTS if (part := _number(quality.get(name))) is not None},
        gaps=gaps,
        contradictions=tuple(
            " ↔ ".join(filter(None, map(_text, _listed(_mapping(pair).get("sentences")))))
            for pair in _listed(findings.get("contradictions"))
        ),
        recommendations=tuple(filter(None, map(_text, _listed(findings.get("recommendations"))))),
    )


def _gap(value: Any) -> Gap | None:
    gap = _mapping(value)
    aspect = _text(gap.get("aspect"))
    if not aspect:
        return None
    return Gap(aspect, _text(gap.get("severity")), _number(gap.get("coverage")), _text(gap.get("suggestion")))


def _place(checkpoint: Mapping[str, Any]) -> float:
    return _number(checkpoint.get("departmentNumber")) or UNNUMBERED


def _listed(value: Any) -> list[Any]:
    return list(value)[:LISTED_MAX] if isinstance(value, list | tuple) else []


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53
    return float(value) if is_number else None


def _text(value: Any) -> str:
    return shortened(clean(value), TEXT_MAX) if isinstance(value, str) else ""
