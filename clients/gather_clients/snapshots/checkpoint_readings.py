"""What a department's checkpoint says to those who show it; pure.

The worker writes checkpoints; whatever of one cannot be read is left out here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from gather_contracts.meters import Meters
from gather_contracts.snapshots.run_state import POINTS_MAX

CHECKPOINT_FIELDS: Final = ("department", "scores", "findings.gaps", "findings.iteration", "meters")
GAPS_MAX: Final = 20
"""As many as the worker keeps."""
TEXT_MAX: Final = 300


@dataclass(frozen=True, slots=True)
class Measured:
    """One department's measurements that no event carries."""

    curve: dict[int, float]
    """The scores by iteration."""
    duplicates_dropped: int | None
    """Notes that the model wrote and that said nothing new; None if that is not known."""
    gaps: list[dict[str, Any]] | None
    """What the last coverage found missing, the worst first; None before there was one."""


def measured_of(checkpoint: Mapping[str, Any]) -> Measured:
    """Return what a checkpoint says."""
    scores, findings = checkpoint.get("scores"), checkpoint.get("findings")
    gaps = findings.get("gaps") if isinstance(findings, Mapping) else None
    return Measured(
        curve={
            number: float(score)
            for number, score in enumerate(scores[:POINTS_MAX] if isinstance(scores, list) else (), 1)
            if isinstance(score, int | float)
        },
        duplicates_dropped=_dropped(checkpoint.get("meters")),
        gaps=[_gap(gap) for gap in gaps[:GAPS_MAX] if isinstance(gap, Mapping)]
        if isinstance(gaps, list)
        else None,
    )


def _dropped(meters: Any) -> int | None:
    try:
        read = Meters.model_validate(meters)
    except ValidationError:
        return None
    return max(read.written - read.kept, 0)


def _gap(gap: Mapping[str, Any]) -> dict[str, Any]:
    coverage = gap.get("coverage")
    return {
        "aspect": str(gap.get("aspect") or "")[:TEXT_MAX],
        "severity": str(gap.get("severity") or "")[:TEXT_MAX],
        "coverage": float(coverage) if isinstance(coverage, int | float) else 0.0,
        "suggestion": str(gap.get("suggestion") or "")[:TEXT_MAX],
    }
