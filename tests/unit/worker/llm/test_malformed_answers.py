# ruff: noqa: S311 - repeatable, not secret
"""Answers as no model should give them: each is refused with one of our errors, or nothing bad is in it."""

import json
import logging
import os
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from gather_contracts.items import CONTENT_MAX, CONTEXT_MAX, SUMMARY_MAX
from gather_contracts.text_cleaning import clean
from gather_worker.errors import AnswerInvalid, ModelError
from gather_worker.llm.billing.usage_forms import error_in, longest_text, read_bill
from gather_worker.llm.chat_completion import Completion, parse_body, read_completion
from gather_worker.llm.salvage import read_answer
from gather_worker.schemas import (
    CONTENT_MIN,
    ITEMS_MAX,
    ITEMS_MIN,
    QUOTE_MAX,
    QUOTES_MAX,
    Draft,
    DraftBatch,
    PairVerdicts,
    QualityVerdict,
    json_schema,
)
from tests.support.broken_answers.malformed_answers import (
    CONTROLS,
    IN_TEXT,
    IN_VALUE,
    good_answer,
    malformed_answers,
)
from tests.support.broken_answers.mutated_answers import (
    DRAFT_LETTERS,
    EQUAL_KEY,
    FIELDS,
    LETTERS,
    Mutated,
    mutated_answer,
    words_of,
)

MALFORMED = malformed_answers(seed=20, count=200)
FUZZ_S = float(os.environ.get("GATHER_FUZZ_S", "6")) / 2
"""For each of the two."""
EXAMPLES_AT_ONCE = 1000
MESSAGE_MAX = 2000
"""Of an error: it is logged, and sent back to the model."""
SHAPES = (DraftBatch, QualityVerdict, PairVerdicts)
_LOGGER = logging.getLogger(__name__)


def assert_fit_to_save(text: str, least: int, most: int) -> None:
    """Within its bounds, storable, and nothing in it that a reader would not see."""
    assert least <= len(text) <= most
    assert text == text.strip()
    text.encode("utf-8")
    assert not any(control[0] in text for control in CONTROLS if control[0] != "\n")
    assert all(character >= " " or character in "\t\n" for character in text)


def assert_sound(answer: BaseModel) -> None:
    """Nothing bad in an answer that was taken."""
    if isinstance(answer, DraftBatch):
        assert ITEMS_MIN <= len(answer.items) <= ITEMS_MAX
        for item in answer.items:
            assert set(item.model_dump()) == {"content", "summary", "context"}
            assert_fit_to_save(item.content, CONTENT_MIN, CONTENT_MAX)
            assert_fit_to_save(item.summary, 1, SUMMARY_MAX)
            assert_fit_to_save(item.context, 0, CONTEXT_MAX)
    if isinstance(answer, QualityVerdict):
        assert all(0 <= n <= 100 for n in (answer.depth, answer.coherence, answer.actionability))
        quoted = (answer.depth_quotes, answer.coherence_quotes, answer.actionability_quotes)
        assert max(map(len, quoted)) <= QUOTES_MAX
        for quote in chain.from_iterable(quoted):
            assert_fit_to_save(quote, 1, QUOTE_MAX)
    if isinstance(answer, PairVerdicts):
        assert all(isinstance(verdict.duplicate, bool) for verdict in answer.verdicts)
    # What is kept in the checkpoint must come back from it.
    assert type(answer).model_validate_json(answer.model_dump_json()) == answer


def read(content: bytes) -> BaseModel | None:
    """Read a body in every shape as the gateway would; None if it is refused."""
    found: BaseModel | None = None
    messages: list[str] = []
    for shape in SHAPES:
        try:
            body = parse_body(content)
            bill, _, _ = read_bill(body), longest_text(body), error_in(body)
            assert 0 <= (bill.cost_usd or 0) < 1e12
            assert 0 <= (bill.tokens_in or 0) < 1e12
            assert 0 <= (bill.tokens_out or 0) < 1e12
            answer = read_answer(read_completion(body), shape)
        except ModelError as error:
            messages.append(str(error))
        else:
            assert_sound(answer)
            found = answer
    assert all(0 < len(message) < MESSAGE_MAX for message in messages)
    return found


@pytest.mark.parametrize(
    "text", [m.text for m in MALFORMED], ids=[f"{n} {m.way}" for n, m in enumerate(MALFORMED)]
)
def test_nothing_bad_is_taken_from_a_malformed_answer(text: str) -> None:
    """Refused with AnswerInvalid, or taken without what was wrong with it."""
    try:
        answer = read_answer(Completion(text, is_cut_off=False), DraftBatch)
    except AnswerInvalid as error:
        message = str(error)
    else:
        assert_sound(answer)
        return
    assert 0 < len(message) < MESSAGE_MAX


def test_most_of_the_malformed_answers_are_refused_and_some_can_be_used() -> None:
    """Else the test above would look at one side only."""
    taken: Counter[str] = Counter()
    for malformed in MALFORMED:
        try:
            read_answer(Completion(malformed.text, is_cut_off=False), DraftBatch)
        except AnswerInvalid:
            continue
        taken[malformed.way] += 1
    assert len({m.way for m in MALFORMED}) == len(IN_VALUE) + len(IN_TEXT) > 45
    assert 60 <= sum(taken.values()) <= 160
    assert {"fields of others", "wrapped", "content with control characters", "too many items"} <= set(taken)
    assert not {"prose", "empty", "too few items", "deep lists", "the schema itself", "items empty"} & set(
        taken
    )


def test_the_same_seed_makes_the_same_answers() -> None:
    """A failure can be looked at again."""
    assert malformed_answers(seed=20, count=200) == MALFORMED
    assert malformed_answers(seed=21, count=200) != MALFORMED


@pytest.mark.parametrize("shape", SHAPES)
def test_good_answers_are_taken(shape: type[BaseModel]) -> None:
    """The fuzzer starts from these."""
    assert isinstance(read(_body(json.dumps(_good(shape, random.Random(1))))), shape)


# --- the fuzzer


def _body(text: str, **more: Any) -> bytes:
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return json.dumps({"choices": [choice], "usage": {"prompt_tokens": 5, "cost": 0.1}, **more}).encode()


def _good(shape: type[BaseModel], rng: random.Random) -> Any:
    """Return a good answer of any shape, from its JSON schema."""
    return good_answer(rng) if shape is DraftBatch else _filled(json_schema(shape))


def _filled(schema: dict[str, Any]) -> Any:
    if schema["type"] == "object":
        return {name: _filled(sub) for name, sub in schema["properties"].items()}
    if schema["type"] == "array":
        return [_filled(schema["items"])] * 3
    return {"string": "because it says so", "number": 50, "integer": 1, "boolean": True}[schema["type"]]


PIECES = (
    b"NaN", b"1e999", b"9" * 4500, b"\\ud800", b"\\u0000", b"\\", b'"content":"x",', b"[" * 3000,
    b'{"a":' * 3000, b"null", b"true", b"-0", b"{", b"}", b"]", b'"', b"\xff", b"\x00",
    b"\xe2\x80\xae", b"\xed\xa0\x80",
)  # fmt: skip
LEAVES: tuple[Any, ...] = (
    None, True, False, 0, -1, 101, 10**400, 1e308, -0.5, float("nan"), float("inf"), "", " ", "stop", "error",
    "length", "50", "\x00\ud800\u202e", "word " * 3000, [], {}, "null", b"bytes".hex(),
)  # fmt: skip
DEPTH_MAX = 3


def fuzzed_body(seed: int) -> bytes:
    """Return a body: a good one with values exchanged, then with bytes cut out and put in."""
    rng = random.Random(seed)
    answer = _good(rng.choice(SHAPES), rng)
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        _exchange(answer, rng)
    body = json.loads(_body(json.dumps(answer)))
    for _ in range(rng.choice((0, 0, 1, 2))):
        _exchange(body, rng)
    content = json.dumps(body).encode()
    for _ in range(rng.choice((0, 0, 1, 2, 3))):
        start = rng.randint(0, len(content))
        piece = rng.choice(PIECES) if rng.getrandbits(1) else rng.randbytes(rng.randint(0, 4))
        content = content[:start] + piece + content[start + rng.choice((0, 0, 1, 1, 8, 300)) :]
    return content


def _exchange(value: Any, rng: random.Random) -> None:
    """Put any JSON value in a random place below `value`."""
    while isinstance(value, dict | list) and value:
        key = rng.choice(list(value) if isinstance(value, dict) else range(len(value)))
        if not isinstance(value[key], dict | list) or rng.randrange(4) == 0:
            value[key] = _any_value(rng)
            return
        value = value[key]


def _any_value(rng: random.Random, depth: int = 0) -> Any:
    kind = rng.randrange(5) if depth < DEPTH_MAX else 3
    if kind == 0:
        return (
            [_any_value(rng, depth + 1) for _ in range(rng.randint(0, 12))]
            if rng.getrandbits(1)
            else [[]] * 12
        )
    if kind == 1:
        return {str(rng.choice(LEAVES))[:20]: _any_value(rng, depth + 1) for _ in range(rng.randint(0, 3))}
    if kind == 2:
        return "".join(chr(rng.choice((rng.randrange(0x110000), rng.randrange(256)))) for _ in range(60))
    return rng.choice(LEAVES)


def fuzzed(once: Callable[[int], str], told: str) -> Counter[str]:
    """Call it with one seed after the other, as long as GATHER_FUZZ_S says, and count what it returns."""
    counted: Counter[str] = Counter()

    @settings(
        max_examples=EXAMPLES_AT_ONCE,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        derandomize="GATHER_FUZZ_S" not in os.environ,
    )
    @given(st.integers(0, 2**64))
    def many(seed: int) -> None:
        counted[once(seed)] += 1

    started = time.monotonic()
    while not counted or time.monotonic() - started < FUZZ_S:
        many()
    _LOGGER.info("%s for %.0f s: %s", told, time.monotonic() - started, dict(counted))
    return counted


def test_no_body_breaks_the_parser() -> None:
    """An error of ours, or an answer without anything bad in it."""
    counted = fuzzed(lambda seed: "taken" if read(fuzzed_body(seed)) else "refused", "fuzzed bodies")
    assert counted["taken"] > EXAMPLES_AT_ONCE / 100
    assert counted["refused"] > EXAMPLES_AT_ONCE / 100


# --- nothing is invented


def decoded(text: str) -> str:
    """Return a text with its escapes read once, and without what is never saved."""
    marks = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}

    def character(escape: re.Match[str]) -> str:
        code = escape[1]
        if len(code) > 1:
            return chr(int(code[1:], 16))
        return marks.get(code) or (code if code in "\"'/\\“”„‘’«»\n" else escape[0])  # noqa: RUF001

    read_once = re.sub(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", character, text, flags=re.DOTALL)
    return read_once.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "ignore")


ANOTHER_CONTENT: Final = re.compile(rf"{EQUAL_KEY}\W{{1,8}}content\W{{1,4}}cc")


def assert_written(note: Draft, mutated: Mutated) -> str:
    """Each field is one stretch of the answer, all of that field's words and of no other's; return whose."""
    layers = [mutated.text]
    for _ in range(6):
        layers.append(decoded(layers[-1]))
    if note.content == EQUAL_KEY and not any(ANOTHER_CONTENT.search(layer) for layer in layers):
        # The name of the content that follows was changed, so that this one is the note's.
        note = note.model_copy(update={"content": ""})
    letters = {letter for _, letter in words_of(note.content or note.summary)}
    assert len(letters) == 1, note
    letter = letters.pop()
    for name, field in FIELDS.items():
        text = getattr(note, name)
        assert any(text in clean(layer) for layer in layers), (name, note)
        assert set(words_of(text)) <= {(field, letter)}, (name, note)
        assert not re.search(r"content|summary|context|items", text), (name, note)
        if text and letter in mutated.notes and not is_cut_behind(text, layers, mutated):
            written = words_of(mutated.notes[letter][name])
            assert len(words_of(text)) >= len(written) - mutated.spoiled_max, (name, note)
    return letter


def is_cut_behind(text: str, layers: Sequence[str], mutated: Mutated) -> bool:
    """Return whether the answer was cut off right behind a text: where that has a quote and a brace in it,
    its first half with them cannot be told from a note that ends there.
    """
    marks = '"}]\\ \n'
    begun = text.rstrip(marks)
    return "cut" in mutated.ways and any(clean(layer).rstrip(marks).endswith(begun) for layer in layers)


def salvaged(seed: int) -> str:
    """Hold what is taken of a mutated answer to what was written; return whether it was all, some or none."""
    mutated = mutated_answer(seed)
    try:
        found = read_answer(Completion(mutated.text, is_cut_off=mutated.is_cut_off), DraftBatch).items
    except AnswerInvalid as error:
        found = [note for note in error.found if isinstance(note, Draft)]
    letters = [assert_written(note, mutated) for note in found]
    assert len(letters) == len(set(letters)) or "twice" in mutated.ways, letters
    if set(letters) & set(DRAFT_LETTERS):
        is_once = mutated.has_marks and "twice" not in mutated.ways
        assert not (is_once and set(letters) & set(LETTERS)), letters
        return "thoughts"
    return "all" if len(set(letters)) == len(mutated.notes) else "some" if letters else "none"


def test_no_mutation_breaks_the_salvage() -> None:
    """Nothing is in a saved note but what the model wrote as that note's value, and most notes are saved."""
    counted = fuzzed(salvaged, "fuzzed answers")
    assert counted["all"] > sum(counted.values()) * 0.5
    assert counted["none"] < sum(counted.values()) * 0.2


def test_the_same_seed_makes_the_same_mutations() -> None:
    """A failure can be looked at again."""
    assert mutated_answer(7) == mutated_answer(7) != mutated_answer(8)
