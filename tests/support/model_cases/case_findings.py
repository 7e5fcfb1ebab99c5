"""What came of a case, held against what its file expects."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from tests.support.model_cases.case_bodies import note
from tests.support.model_cases.case_files import Case, Request
from tests.support.model_cases.case_runs import KEY, Played

EXACT_USD: Final = 1e-9
LIMITS: Final = ("max_tokens", "max_completion_tokens")
LIMIT_MAX: Final = 100_000
ENDED_WITH_MAX: Final = 1000
"""Of a termination message, which holds the result besides: 4,096 bytes."""


def findings(case: Case, played: Played) -> list[str]:
    """Return where the two differ, a sentence each; none if the gateway does what the case expects."""
    return [*_money(case, played), *_course(case, played), *_notes(case, played), *_words(case, played)]


def _money(case: Case, played: Played) -> Iterator[str]:
    """The law: never below the truth; and the truth itself where the bill is clear."""
    booked, charged = played.ledger.total_usd, played.charged
    if booked < charged.usd - EXACT_USD:
        yield f"booked {booked:.6f} USD of {charged.usd:.6f}"
    if played.ledger.tokens < charged.tokens:
        yield f"booked {played.ledger.tokens} tokens of {charged.tokens}"
    if case.expect.bill == "exact" and booked > charged.usd + EXACT_USD:
        yield f"booked {booked:.6f} USD where {charged.usd:.6f} is clear"
    if booked > max(case.asked.budget_usd, charged.usd) + EXACT_USD:
        yield f"booked {booked:.6f} USD above the cap"


def _course(case: Case, played: Played) -> Iterator[str]:
    expected = case.expect
    if list(played.steps) != list(expected.steps):
        yield f"steps: {', '.join(played.steps)}; expected {', '.join(expected.steps)}"
    if played.end != expected.ends:
        yield f"ends: {played.end} ({played.ended_with[:120]}); expected {expected.ends}"
    if played.waited_s < expected.waits_s:
        yield f"waited {played.waited_s:.1f} s; expected {expected.waits_s:g} at least"
    for number, (wanted, sent) in enumerate(zip(expected.requests, played.requests, strict=False), start=1):
        yield from (f"request {number}: {text}" for text in _request(wanted, sent))


def _request(wanted: Request, sent: Mapping[str, Any]) -> Iterator[str]:
    form = (sent.get("response_format") or {"type": "none"})["type"]
    if wanted.format not in {None, form}:
        yield f"format {form}, expected {wanted.format}"
    yield from _limit(wanted, {name: sent[name] for name in LIMITS if name in sent})
    if not all(message["content"] for message in sent["messages"]):
        yield "a message is empty"
    last = sent["messages"][-1]["content"]
    yield from (f"says nothing of {words}" for words in wanted.says if words not in last)


def _limit(wanted: Request, limits: Mapping[str, int]) -> Iterator[str]:
    most, least = wanted.limit_most or LIMIT_MAX, wanted.limit_least or 0
    if wanted.limit is not None and list(limits) != [wanted.limit]:
        yield f"limits {limits}, expected {wanted.limit}"
    if not all(least <= limit <= most for limit in limits.values()):
        yield f"limits {limits}, expected {least} to {most}"


def _notes(case: Case, played: Played) -> Iterator[str]:
    expected = [note(number) for number in case.expect.numbers]
    got = [one.model_dump() for one in played.notes]
    others = [one["content"] for one in got if one not in expected]
    if (kept := len([one for one in got if one in expected])) != len(expected):
        yield f"notes: {kept} of {len(expected)}"
    if others != list(case.expect.others):
        yield f"other notes: {[text[:60] for text in others]}"
    if {name: played.value.get(name) for name in case.expect.value} != case.expect.value:
        yield f"value: {played.value}"
    if played.dropped != case.expect.dropped:
        yield f"dropped {played.dropped}; expected {case.expect.dropped}"


def _words(case: Case, played: Played) -> Iterator[str]:
    """What must be named is; a key never is, and what a person reads is one bounded line."""
    if KEY in played.words:
        yield "shows the key"
    if len(played.ended_with) > ENDED_WITH_MAX or not played.ended_with.isprintable():
        yield f"ends with {len(played.ended_with)} characters: {played.ended_with[:60]!r}"
    for words in case.expect.words:
        if words not in played.words:
            yield f"names nothing of {words!r}"
    for words in case.expect.never:
        if words in played.words:
            yield f"shows {words!r}"
