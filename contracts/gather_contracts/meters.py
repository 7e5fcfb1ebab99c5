"""What a worker measured, small enough for its termination message: totals, and times counted into buckets.

A pod is gone before anybody could ask it, so it leaves its numbers in its checkpoint and its last words, and
the operator adds them up. Both sides share the buckets here, since counts can only be added where bounds are
equal.
"""

from bisect import bisect_left
from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

BOUNDS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8, 1.5, 3.0, 6.0, 12.0, 30.0, 60.0, 120.0)
"""Upper bounds of the buckets, one beyond follows; 0.4 and 1.5 are goals (own time, start)."""
ITEMS_PER_ITERATION_MAX: Final = 10
SCORED_ITERATIONS: Final = (1, 2, 3, 5, 10, 20, 50)
"""After these iterations the quality is kept: a department's progress in seven numbers."""
COUNT_MAX: Final = 10**12


class Timer(StrEnum):
    """What is timed; the values are keys in a message that has room for 1 KiB."""

    STORE = "st"
    """One request to MongoDB."""
    BRAIN = "br"
    """One question to the brain."""
    MODEL = "mo"
    """One request to the language model."""
    DEDUPE = "de"
    """Comparing one iteration's notes, the model's verdicts included."""
    ITERATION = "it"
    """One iteration from beginning to end."""
    OWN = "ow"
    """One iteration without the time in which the model was awaited."""
    START = "go"
    """From a process's start to its first request to the model."""
    EVALUATION = "ev"
    """Queueing one evaluation."""


Count = Annotated[int, Field(ge=0, le=COUNT_MAX)]
Tally = Annotated[list[Count], Field(max_length=len(BOUNDS_S) + 2)]
"""Sum in microseconds, then the counts of the buckets, trailing zeros left out."""
Score = Annotated[float, Field(ge=0, le=100)]


class Meters(BaseModel):
    """One department's measurements over all its attempts so far."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")

    times: dict[Timer, Tally] = Field(default_factory=dict)
    items: Annotated[list[Count], Field(max_length=ITEMS_PER_ITERATION_MAX + 1)] = Field(default_factory=list)
    """How many iterations ended with 0, 1, 2 … new notes."""
    written: Count = 0
    """Notes that the model wrote; those that are not in `items` said nothing new."""
    scores: Annotated[list[Score | None], Field(max_length=len(SCORED_ITERATIONS))] = Field(
        default_factory=list
    )
    """Quality after `SCORED_ITERATIONS`, as far as they were reached; None where it could not be measured."""
    threshold_ms: Count | None = None
    """From the first attempt's start until the threshold was reached."""
    evaluations_sent: Count = 0
    evaluations_failed: Count = 0
    judge_parts: Annotated[list[Count], Field(max_length=2)] = Field(default_factory=list)
    """Parts of the judge's verdicts that count, and those that quote nothing of the notes and do not."""

    @property
    def kept(self) -> int:
        """Return how many notes were new."""
        return sum(notes * iterations for notes, iterations in enumerate(self.items))


def bucket(seconds: float) -> int:
    """Return the place of the bucket that a time belongs to."""
    return bisect_left(BOUNDS_S, seconds)


def counts_of(tally: Sequence[int]) -> list[int]:
    """Return a tally's counts, one for each bucket."""
    counts = list(tally[1:])
    return counts + [0] * (len(BOUNDS_S) + 1 - len(counts))


def sum_s(tally: Sequence[int]) -> float:
    """Return the sum of a tally's times in seconds."""
    return tally[0] / 1e6 if tally else 0.0
