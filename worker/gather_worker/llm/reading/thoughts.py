"""Which stretches of a text a model only thought, by the marks that chat formats put around them; pure."""

import re
import sys
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

_NAMES: Final = "think|thinking|thought|thoughts|reasoning|reflection|scratchpad|analysis|seed:think"
_MARK: Final = re.compile(
    rf"(?P<open><(?:{_NAMES})>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|channel\|>(?:analysis|commentary)\b)"
    rf"|(?P<close></(?:{_NAMES})>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<\|channel\|>final\b)",
    re.IGNORECASE,
)
"""DeepSeek, Qwen and many more; Mistral; Kimi; Cohere; the channels of gpt-oss."""

Span = tuple[int, int]


def thought_spans(text: str, answers: Sequence[Span]) -> list[Span]:
    """Return the stretches that are thought, in order; a mark inside of one of the `answers` is text.

    A chat template may write the first mark, so that only the closing one is here: all before it is thought.
    A thought that is cut off has only the opening one.
    """
    spans, begin = list[Span](), None
    for mark in _MARK.finditer(text):
        if span_at(mark.start(), answers) is not None:
            continue
        if mark["open"]:
            begin = mark.start() if begin is None else begin
        else:
            end_before = spans[-1][1] if spans else 0
            spans.append((end_before if begin is None else begin, mark.end()))
            begin = None
    return spans if begin is None else [*spans, (begin, len(text))]


def span_at(place: int, spans: Sequence[Span]) -> int | None:
    """Return which of the spans, which are in order, holds the place; None if none does."""
    before = bisect_right(spans, (place, sys.maxsize)) - 1
    return before if before >= 0 and place < spans[before][1] else None
