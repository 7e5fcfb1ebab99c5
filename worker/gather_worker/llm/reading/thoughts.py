"""Which stretches of a text a model only thought, by the marks that chat formats put around them; pure."""

import re
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
    """Return the stretches that are thought; a mark inside of one of the `answers` is text.

    A chat template may write the first mark, so that only the closing one is here: all before it is thought.
    A thought that is cut off has only the opening one.
    """
    spans, begin = list[Span](), None
    for mark in _MARK.finditer(text):
        if any(start < mark.start() < end for start, end in answers):
            continue
        if mark["open"]:
            begin = mark.start() if begin is None else begin
        else:
            end_before = spans[-1][1] if spans else 0
            spans.append((end_before if begin is None else begin, mark.end()))
            begin = None
    return spans if begin is None else [*spans, (begin, len(text))]
