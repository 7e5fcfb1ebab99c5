"""Answers of models: every whole, valid entry is taken, wherever it stands, and nothing else."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from gather_worker.errors import AnswerInvalid
from gather_worker.llm.chat_completion import Completion
from gather_worker.llm.salvage import read_answer, request_again, salvage
from gather_worker.schemas import Draft, DraftBatch, PairVerdict, PairVerdicts, QualityVerdict


def note(number: int, **changes: Any) -> dict[str, Any]:
    """Return a note."""
    content = f"Note {number}: the keeper's lamp burns for nine nights."
    return {"content": content, "summary": f"Lamp {number}.", "context": "It burns."} | changes


def answer(*items: Any) -> str:
    """Return an answer of these."""
    return json.dumps({"items": items})


NOTES = [note(number) for number in range(8)]
LIST = json.dumps(NOTES)
GOOD = answer(*NOTES)
DRAFTS = answer(*(note(number) for number in range(20, 26)))
LAST = json.dumps(note(7))
HEAD = GOOD[: GOOD.rindex(LAST)]
"""All but the last note and what closes the answer."""
PYTHON = str(json.loads(GOOD))


def with_last(text: str) -> str:
    """Return the answer with another text in the place of its last note."""
    return f"{HEAD}{text}]}}"


WHOLE: dict[str, str] = {
    "plain": GOOD,
    "in a fence": f"```json\n{GOOD}\n```",
    "in a fence that is not closed": f"```json\n{GOOD}",
    "in a sentence": f"Here you are:\n{GOOD}\nEnjoy!",
    "byte order mark": f"\ufeff{GOOD}",
    "braces in thoughts": f'<think>Maybe {{"items": [...]}} or {{a, b}}.</think>\n{GOOD}',
    "a draft in thoughts": f"<think>First {DRAFTS}, too close.</think>{GOOD}",
    "thoughts without their beginning": f"First {DRAFTS}, too close.</think>{GOOD}",
    "thoughts twice": f"<think>First {DRAFTS}.</think>No: {DRAFTS}</think>{GOOD}",
    "a stray mark behind it": f"<think>First {DRAFTS}.</think>{GOOD}</think>",
    "thoughts of Mistral": f"[THINK]{DRAFTS}[/THINK]{GOOD}",
    "channels of gpt-oss": (
        f"<|channel|>analysis<|message|>{DRAFTS}<|end|><|start|>assistant<|channel|>final<|message|>{GOOD}"
    ),
    "all of it in thoughts": f"<think>{GOOD}</think>",
    "all of it in thoughts, not closed": f"<think>Then: {GOOD}",
    "a mark of thoughts in a note":
        answer(*NOTES[:7], note(7, content="The word </think> is painted on a door.")),
    "LaTeX in the prose": f"With \\frac{{1}}{{2}} and PE_{{pos, 2i}} as before: {GOOD}",
    "braces in the prose": f'In the form {{"items": [...]}} with {{context}}:\n{GOOD}',
    "a reference behind it": f"{GOOD}\nSee [docs] and {{appendix}}. [1]",
    "words behind each note, in its line": "\n".join(f"{json.dumps(each)} - done" for each in NOTES),
    "notes in sentences": " and then ".join(map(json.dumps, NOTES)),
    "a fragment behind it": f'{GOOD}\n{{"items": [{{"content": "The',
    "a bracket too many": f"{GOOD}]}}",
    "braces of a template": f"{{{GOOD}}}",
    "its beginning once more": f"{{\n{GOOD}",
    "twice": f"{GOOD}\n{GOOD}",
    "a first version before it": f"{DRAFTS}\n\nBetter:\n{GOOD}",
    "trailing commas": GOOD.replace("}]}", "},],}"),
    "no commas": GOOD.replace("}, {", "}\n{"),
    "dots at the end": GOOD.replace("]}", ", ...]}"),
    "comments": GOOD.replace('{"items": [', '{ // the notes\n"items": [ /* on lamps */ # here\n'),
    "single quotes": PYTHON.replace('"', "'"),
    "Python": f"{PYTHON[:-1]}, 'more': None, 'done': True}}",
    "typographic quotes": re.sub('"([^"]*)"', r"“\1”", GOOD),
    "German quotes": re.sub('"([^"]*)"', r"„\1“", GOOD),
    "keys without quotes": re.sub(r'"(\w+)":', r"\1:", GOOD),
    "keys without their first quote": re.sub(r'"(\w+)":', r'\1":', GOOD),
    "keys in capitals": GOOD.replace('"content"', '"Content"'),
    "NaN": f'{{"score": NaN, "items": {LIST}}}',
    "the list alone": LIST,
    "under another name": json.dumps({"notes": NOTES}),
    "in a wrapper": json.dumps({"generate": {"result": {"items": NOTES}}}),
    "in the schema":
        json.dumps({"type": "object", "properties": {"items": {"type": "array", "items": NOTES}}}),
    "an object of numbers": json.dumps({"items": {str(n): each for n, each in enumerate(NOTES)}}),
    "each in a wrapper": json.dumps({"items": [{"note": each} for each in NOTES]}),
    "the list as text": json.dumps({"items": LIST}),
    "each as text": json.dumps({"items": [json.dumps(each) for each in NOTES]}),
    "all of it as text": json.dumps(GOOD),
    "as text of text": json.dumps(json.dumps(GOOD)),
    "every quote escaped": json.dumps(GOOD)[1:-1],
    "a tool call in the text": f'<tool_call>\n{{"name": "generate", "arguments": {GOOD}}}\n</tool_call>',
    "a message in the text": json.dumps({"role": "assistant", "content": GOOD}),
    "JSON Lines": "\n".join(map(json.dumps, NOTES)),
    "objects one after another": ", ".join(map(json.dumps, NOTES)),
    "objects in prose": "".join(f"{n}. Here is one: {json.dumps(each)}\n\n" for n, each in enumerate(NOTES)),
    "context missing": answer(*NOTES[:7], {"content": NOTES[7]["content"], "summary": "Lamp 7."}),
    "context null": answer(*NOTES[:7], note(7, context=None)),
    "further fields":
        json.dumps({"thoughts": "Eight.", "items": [{**each, "_id": 1} for each in NOTES], "n": 8}),
    "a line break in a text": GOOD.replace("burns for", "burns\nfor"),
    "quotes in a text": with_last(LAST.replace("nine nights", 'the "long", then „other" nights')),
    "a quote before a brace": with_last(LAST.replace("nine nights", 'the set {"nine"} nights')),
    "an escape that is none": GOOD.replace("keeper's", "keeper\\'s"),
    "NUL and halves of characters": GOOD.replace("keeper", "kee\\u0000per\\ud800"),
    "extra items in between":
        json.dumps({"items": NOTES[:4]})[:-1] + f', "further": {json.dumps(NOTES[4:])}}}',
}  # fmt: skip


@pytest.mark.parametrize("text", WHOLE.values(), ids=WHOLE.keys())
def test_whole_notes_are_found_whatever_is_around_them(text: str) -> None:
    """All eight, each as the model wrote it."""
    found = salvage(Completion(text), DraftBatch)
    assert [each.summary for each in found.answer.items] == [f"Lamp {number}." for number in range(8)]
    assert all(each.content.startswith(f"Note {n}") or "</think>" in each.content
               for n, each in enumerate(found.answer.items))  # fmt: skip
    assert (found.dropped, found.problems) == (0, "")


PLAIN = {"plain", "in a fence", "in a fence that is not closed", "in a sentence", "byte order mark",
         "braces in thoughts", "a reference behind it", "twice", "context null"}  # fmt: skip


def test_what_was_asked_for_is_told_from_what_was_found() -> None:
    """A model of which much has to be salvaged may want another form of the request."""
    assert all(salvage(Completion(WHOLE[name]), DraftBatch).is_plain for name in PLAIN)
    others = {"the list alone", "trailing commas", "single quotes", "the list as text", "all of it as text",
              "every quote escaped", "JSON Lines", "all of it in thoughts"}  # fmt: skip
    assert not any(salvage(Completion(WHOLE[name]), DraftBatch).is_plain for name in others)


OTHER = {"content": "The boat is late by two whole days.", "summary": "The boat.", "context": "It hurts."}
HALF = json.dumps(OTHER)
TORN = "it is not whole"
DROPPED: dict[str, tuple[str, str]] = {
    "summary missing": (with_last('{"content": "The boat is late by two days.", "context": "c"}'),
     "summary is missing"),
    "content null": (with_last(json.dumps(OTHER | {"content": None})), "content is null"),
    "content too short": (with_last(json.dumps(OTHER | {"content": "Act I"})),
     "content has less than 20 characters"),
    "content of dots": (with_last(json.dumps(OTHER | {"content": "." * 50})), "content is not made of words"),
    "content too long": (with_last(json.dumps(OTHER | {"content": "x" * 8001})),
     "content has more than 8,000"),
    "summary too long": (with_last(json.dumps(OTHER | {"summary": "x" * 501})), "summary has more than 500"),
    "context too long": (with_last(json.dumps(OTHER | {"context": "x" * 2001})),
     "context has more than 2,000"),
    "context a number": (with_last(json.dumps(OTHER | {"context": 7})), "context is no text"),
    "context NaN": (with_last(HALF.replace('"It hurts."', "NaN")), "context is no text"),
    "content a list": (with_last(json.dumps(OTHER | {"content": ["The boat."]})), "content is no text"),
    "two contents": (with_last(HALF.replace("{", '{"content": "No boat ever comes at all.", ')),
     "content stands there twice"),
    "a text in its place": (with_last('"and so on"'), "it is no JSON object"),
    "null in its place": (with_last("null"), "it is no JSON object"),
    "a quote forgotten": (with_last(HALF.replace('days.",', "days.,")), TORN),
    "a bracket for a comma": (
        with_last('{content: "The boat is late by two days.", summary: "The boat."] context: "It hurts."}'),
        TORN,
    ),
    "a quote forgotten at the end": (with_last(HALF.replace('hurts."', "hurts.")), TORN),
    "no quotes": (with_last(HALF.replace('"The boat."', "The boat.")), TORN),
    "cut in the content": (f'{HEAD}{{"content": "The boat is late by two days', TORN),
    "cut in the context": (HEAD + HALF[:-5], TORN),
    "cut before its brace": (HEAD + HALF[:-1], TORN),
    "cut in its fence": (f"```json\n{HEAD}{HALF[:-5]}\n```", TORN),
    "cut in a text": (json.dumps(HEAD + HALF[:-5])[:-1], TORN),
    "cut in the list's text": (json.dumps({"items": HEAD[len('{"items": ') :] + HALF[:-5]})[:-2], TORN),
    "closed by others": (f'{HEAD}{HALF[:-8]}"}}]}}', TORN),
}  # fmt: skip


@pytest.mark.parametrize(("text", "problem"), DROPPED.values(), ids=DROPPED.keys())
def test_one_note_that_cannot_be_used_costs_no_other(text: str, problem: str) -> None:
    """It is counted, and the words name its number and field."""
    found = salvage(Completion(text, is_cut_off=problem == TORN), DraftBatch)
    assert [each.summary for each in found.answer.items] == [f"Lamp {number}." for number in range(7)]
    assert found.dropped == 1
    assert found.problems.startswith("note 8: ")
    assert problem in found.problems


def test_of_eleven_notes_ten_are_taken() -> None:
    """The first ten; that costs no second request."""
    found = salvage(Completion(answer(*map(note, range(11)))), DraftBatch)
    assert [each.summary for each in found.answer.items] == [f"Lamp {number}." for number in range(10)]
    assert (found.dropped, found.problems) == (1, "")


def test_a_list_that_the_model_did_not_close_itself_loses_its_last_note() -> None:
    """The answer was cut off, and a gateway closed it: of the last note nobody knows whether it is whole."""
    assert len(read_answer(Completion(GOOD, is_cut_off=True), DraftBatch).items) == 7
    assert len(read_answer(Completion(f"{GOOD}\nThese notes", is_cut_off=True), DraftBatch).items) == 8
    lines = "\n".join(map(json.dumps, NOTES))
    assert len(read_answer(Completion(lines, is_cut_off=True), DraftBatch).items) == 8


USELESS: dict[str, tuple[str, str, int]] = {
    "nothing": ("", "no JSON object", 0),
    "prose": ("Here are your notes!", "no JSON object", 0),
    "an empty object": ("{}", "no JSON object", 0),
    "an empty list": ('{"items": []}', "no JSON object", 0),
    "another object": ('{"type": "department_complete"}', "no JSON object", 0),
    "thoughts that never end": ('<think>Perhaps {"items": [ ... ]}, but first', "no JSON object", 0),
    "the schema": (json.dumps({"properties": {"items": {"type": "array"}}}), "no JSON object", 0),
    "the form": ('{"items": [{"content": "…", "summary": "…", "context": "…"}, …]}', "content has less", 0),
    "too few": (answer(*NOTES[:4]), "4 of at least 5 can be used", 4),
    "one object": (json.dumps({"items": NOTES[0]}), "1 of at least 5 can be used", 1),
    "cut off early": (GOOD[:400], "note 4: it is not whole", 3),
    "no summaries": (answer(*[{"content": NOTES[0]["content"]}] * 6),
     "note 1, 2, 3, 4, 5, 6: summary is missing", 0),
    "other names": (answer({"title": "Lamp", "description": "The lamp."}), "note 1: content is missing", 0),
    "the same line again and again": ("\n".join([json.dumps(NOTES[0])] * 9), "1 of at least 5", 1),
    "texts": (json.dumps({"items": ["note"] * 5}), "note 1, 2, 3, 4, 5: it is no JSON object", 0),
}  # fmt: skip


@pytest.mark.parametrize(("text", "problem", "count"), USELESS.values(), ids=USELESS.keys())
def test_with_fewer_notes_than_are_needed_the_answer_is_invalid(text: str, problem: str, count: int) -> None:
    """With words for the model, without the answer's own text in them, and with the notes that are good."""
    with pytest.raises(AnswerInvalid, match=re.escape(problem)) as caught:
        read_answer(Completion(text), DraftBatch)
    assert len(caught.value.found) == count
    assert "keeper" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_what_was_good_in_the_first_answer_is_kept_for_the_second() -> None:
    """Only what is still needed is asked for, and a note that comes once more counts once."""
    with pytest.raises(AnswerInvalid) as caught:
        read_answer(Completion(answer(*NOTES[:3], {})), DraftBatch)
    request = request_again(DraftBatch, caught.value)
    assert "3 of at least 5" in request
    assert "Write 2 to 7 more notes" in request
    more = salvage(
        Completion(answer(NOTES[2], NOTES[3])), DraftBatch, [*caught.value.found, Draft(**note(9))]
    )
    assert [each.summary for each in more.answer.items] == [
        "Lamp 0.",
        "Lamp 1.",
        "Lamp 2.",
        "Lamp 9.",
        "Lamp 3.",
    ]


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        (DraftBatch, "Write 5 to 10 notes"),
        (QualityVerdict, "Judge again"),
        (PairVerdicts, "verdict on each pair"),
    ],
)
def test_the_request_after_a_useless_answer_says_why(shape: type[BaseModel], wanted: str) -> None:
    """For each prompt in its own words."""
    with pytest.raises(AnswerInvalid) as caught:
        read_answer(Completion("Sorry!"), shape)
    request = request_again(shape, caught.value)
    assert "no JSON object of the asked-for form" in request
    assert wanted in request
    assert "{{" not in request


def test_thoughts_count_only_where_nothing_else_does() -> None:
    """Fewer notes in the answer than in the thoughts are still the answer."""
    thoughts = (GOOD,)
    assert len(read_answer(Completion("Done.", thoughts=thoughts), DraftBatch).items) == 8
    with pytest.raises(AnswerInvalid) as caught:
        read_answer(Completion(answer(NOTES[0]), thoughts=thoughts), DraftBatch)
    assert len(caught.value.found) == 1


def test_the_first_place_with_enough_notes_counts() -> None:
    """A body may hold the answer twice, and words in front of it."""
    told = Completion("Here they are.", others=(answer(NOTES[0]), GOOD, DRAFTS))
    found = salvage(told, DraftBatch)
    assert found.answer.items[0].summary == "Lamp 0."
    assert len(found.answer.items) == 8
    assert not found.is_plain


def test_notes_in_several_places_count_together() -> None:
    """Some models make a call of each note; no place alone has enough."""
    calls = [json.dumps(each) for each in NOTES[:6]]
    found = salvage(Completion(calls[0], others=(*calls[1:], calls[0], '{"content": "A')), DraftBatch)
    assert [draft.summary for draft in found.answer.items] == [f"Lamp {number}." for number in range(6)]
    with pytest.raises(AnswerInvalid) as caught:
        salvage(Completion(calls[0], others=(answer(*NOTES[1:3]),)), DraftBatch)
    assert len(caught.value.found) == 3


PAIRS = [{"pair": 0, "duplicate": True}, {"pair": 1, "duplicate": False}]


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"verdicts": PAIRS}),
        json.dumps(PAIRS),
        "\n".join(map(json.dumps, PAIRS)),
        json.dumps({"verdicts": [{"pair": "0", "duplicate": "true"}, {"pair": 1.0, "duplicate": " False"}]}),
        json.dumps({"verdicts": [*PAIRS, {"pair": 2, "duplicate": "maybe"}, {"pair": 3}, {"pair": True}]}),
        json.dumps({"verdicts": [*PAIRS, {"pair": 2, "duplicate": 1}, {"pair": 3, "duplicate": "on"}]}),
        json.dumps({"verdicts": [*PAIRS, {"pair": 2, "duplicate": True}, {"pair": 2, "duplicate": False}]}),
        json.dumps({"verdicts": PAIRS})[:-2] + ', {"pair": 2, "dup',
    ],
    ids=["plain", "list", "lines", "as text", "unclear", "no truth", "contradicting", "cut off"],
)
def test_each_whole_verdict_on_a_pair_counts(text: str) -> None:
    """What is unclear is no verdict: the cut decides on that pair."""
    found = read_answer(Completion(text), PairVerdicts)
    assert found.verdicts == [PairVerdict(pair=0, duplicate=True), PairVerdict(pair=1, duplicate=False)]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["items", "content", "summary", "context", "x"]), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(st.text(max_size=200) | json_values.map(json.dumps))
def test_no_answer_crashes_the_reader(text: str) -> None:
    """Nothing that is not 5 to 10 notes gets through."""
    try:
        batch = read_answer(Completion(text), DraftBatch)
    except AnswerInvalid:
        return
    assert 5 <= len(batch.items) <= 10
