"""What the last coverage found, as the checkpoint keeps it for pages that show it to people; pure.

Everything is bounded, in number and in length: a page reads the whole of it.
"""

from collections.abc import Iterable
from typing import Final

from pydantic import Field

from gather_contracts.brain import CoverageResponse
from gather_contracts.text_cleaning import clean, shortened
from gather_worker.llm.ledger import Stored

GAPS_MAX: Final = 20
CONTRADICTIONS_MAX: Final = 20
RECOMMENDATIONS_MAX: Final = 10
NOTES_MAX: Final = 20
"""Ids of notes that one gap names."""
NAME_CHARS: Final = 64
TEXT_CHARS: Final = 300


class Gap(Stored):
    """An aspect of the department that its notes miss or treat weakly."""

    aspect: str
    coverage: float
    """0-100."""
    severity: str
    """`low`, `medium` or `high`."""
    suggestion: str
    notes: list[str] = Field(default_factory=list)
    """Ids of the notes that treat it weakly, the clearest first; none if nothing is said of it."""


class Contradiction(Stored):
    """Two notes that contradict each other in so many words."""

    notes: list[str]
    """Ids of the two."""
    sentences: list[str]
    """What each of them says."""


class Findings(Stored):
    """Gaps, contradictions and recommendations of one measurement."""

    iteration: int = 0
    """After which it was made."""
    coverage: float
    """The department's coverage, 0-100."""
    gaps: list[Gap] = Field(default_factory=list)
    """Those that cost most first."""
    contradictions: list[Contradiction] = Field(default_factory=list)
    """The surest first."""
    recommendations: list[str] = Field(default_factory=list)
    """What to write next, the most useful first."""


def findings_of(response: CoverageResponse) -> Findings:
    """Return what the brain found, within the bounds."""
    analysis = response.analysis
    return Findings(
        coverage=response.coverage_score,
        gaps=[
            Gap(
                aspect=_text(gap.aspect, NAME_CHARS),
                coverage=gap.coverage,
                severity=_text(gap.severity, NAME_CHARS),
                suggestion=_text(gap.suggestion),
                notes=_texts(gap.items[:NOTES_MAX], NAME_CHARS),
            )
            for gap in analysis.gaps[:GAPS_MAX]
        ],
        contradictions=[
            Contradiction(notes=_texts(pair.items[:2], NAME_CHARS), sentences=_texts(pair.sentences[:2]))
            for pair in analysis.contradictions[:CONTRADICTIONS_MAX]
        ],
        recommendations=_texts(analysis.recommendations[:RECOMMENDATIONS_MAX]),
    )


def _texts(texts: Iterable[str], length: int = TEXT_CHARS) -> list[str]:
    return [_text(text, length) for text in texts]


def _text(text: str, length: int = TEXT_CHARS) -> str:
    return shortened(clean(text), length)
