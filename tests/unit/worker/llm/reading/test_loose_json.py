"""JSON as models write it: JSON itself is read as JSON is, nothing is closed, and the work is bounded."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gather_worker.llm.reading.loose_json import (
    STEP_WORK,
    VALUES_MAX,
    WORK_MIN,
    WORK_PER_CHARACTER,
    Found,
    LooseReader,
)


def plain(value: Any) -> Any:
    """Return what was found as Python's values."""
    if not isinstance(value, Found):
        return value
    values = [plain(each) for each in value.values]
    return values if value.keys is None else dict(zip(value.keys, values, strict=True))


def read(text: str) -> list[Any]:
    """Return the outermost values of a text."""
    return [plain(root) for root in LooseReader(len(text)).roots(text).found]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
    | st.sampled_from(['"', '", "', '"}', '": "', "'", "“", "//", "# x", "/*", "{", "]", "\\", "\n"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(max_size=8) | st.sampled_from(["content", "a b", "$x", "'"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@example(value=["", float("inf"), ""], is_ascii=False, is_indented=False)
@given(
    json_values.filter(lambda value: isinstance(value, dict | list) and value), st.booleans(), st.booleans()
)
def test_json_is_read_as_json_is(value: Any, is_ascii: bool, is_indented: bool) -> None:
    """Every leniency is for what is none."""
    text = json.dumps(value, ensure_ascii=is_ascii, indent=1 if is_indented else None)
    assert read(text) == [json.loads(text)]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ('{"a": "He said "go", then "run", and left", "b": 1}',
         [{"a": 'He said "go", then "run", and left', "b": 1}]),
        ('{"a": "the set "}\n is small", "b": 1}', [{"a": 'the set "}\n is small', "b": 1}]),
        ('{"a": "the set "} is small", "b": 1}', [{"a": 'the set "} is small', "b": 1}]),
        ('{"a": "the set ",}" is small", "b": 1}', [{"a": 'the set ",}" is small', "b": 1}]),
        ("[{'a': 'the set '}} is small', 'b': 'x'}, {'a': 'y'}]",
         [[{"a": "the set '}} is small", "b": "x"}, {"a": "y"}]]),
        ('{"a": "the set "}} is small", "b": "x"}', [{"a": 'the set "}} is small', "b": "x"}]),
        ('{"a": "the set "}, then "home" is small"}', [{"a": 'the set "}, then "home" is small'}]),
        ('[{"a": "the set "}]} is small", b: "x"}]', [[{"a": 'the set "}]} is small', "b": "x"}]]),
        ('{"a": "the set "}# is small"}', [{"a": 'the set "}# is small'}]),
        ('{"a": "the set "}\n\nis small"}', [{"a": 'the set "}\n\nis small'}]),
        ('{"a": "x", "b": "y"}} It says "lamp", and "sea".', [{"a": "x", "b": "y"}]),
        ('{"a": "x", } // it says "lamp", and "sea".', [{"a": "x"}]),
        ('[{"a": "x",}, ["a": "y", "b": "z"}]', [{"a": "x"}]),
        ('[{"a": "x",}, c"ontent": "y", "b": "z"}]', [{"a": "x"}]),
        ('{"n": {"a": "x",}, "b": "y", "c": "z"}', [{"n": {"a": "x"}, "b": "y", "c": "z"}]),
        ('{"n": {"a": "x",}, b: "y", "c": "z"}', [{"n": {"a": "x"}, "b": "y", "c": "z"}]),
        ('{"a": "x",} {"a": "y",}', [{"a": "x"}, {"a": "y"}]),
        ('{"a": "the "dictator", waiting on response."}', [{"a": 'the "dictator", waiting on response.'}]),
        ('{"a": "a"bcd"e"}', [{"a": 'a"bcd"e'}]),
        ('{"a": "a 65" television" }', [{"a": 'a 65" television'}]),
        ('{"a": ""quoted"", "b": 1}', [{"a": '"quoted"', "b": 1}]),
        ("{'a': 'The keeper's lamp', 'b': 'x'}", [{"a": "The keeper's lamp", "b": "x"}]),
        ('{name": "Henry", "age": 25}', [{"name": "Henry", "age": 25}]),
        ('{"a": "x"\n"b": 1}', [{"a": "x", "b": 1}]),
        ('{"a": "x\\q \\x41 \\u00e9 \\u12", "b": "\\ud83c\\udfac\\ud800!"}',
         [{"a": "x\\q A é \\u12", "b": "🎬!"}]),
        ('{"url": "https://a.b/c#d"} // done', [{"url": "https://a.b/c#d"}]),
        ("[1, 2, ...]", [[1, 2, ...]]),
        ('{"a": 01, "b": +1, "c": .5, "d": 1e999, "e": undefined}',
         [{"a": 1, "b": 1, "c": 0.5, "d": float("inf"), "e": None}]),
        ('{"a": {"b": 1}, "c": {"d": 2}, "e": {"f": ', [{"b": 1}, {"d": 2}]),
        ('{"a": "```json\\n{}\\n```"}', [{"a": "```json\n{}\n```"}]),
        ('{"a": "x"} as {b} says', [{"a": "x"}]),
        ('[{"a" "b"}, {"a": "x"}]} as it was said', [{"a": "x"}]),
    ],
)  # fmt: skip
def test_what_models_write_is_read(text: str, values: list[Any]) -> None:
    """As reports of parsers and models show it."""
    assert read(text) == values


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "b',
        '{"a": "b"',
        '{"a": "b\\"}',
        '{"a": "b, "c": "d"}',
        '{"a: "b"}',
        '{"a": b", "c": "d"}',
        '{"a": the text, "c": "d"}',
        '{"a": "00:11", "b": "00:23}, {"a": "00:24", "b": "00:25"}'[:29],
        '{"a": "one,\n"b": "two"}',
        '{"a": "one},\n{"a": "two"}'[:-1],
        "{'a': 'one, \"b\": 'two'}",
        '{"a": "x" + "y"}',
        '{"a": "one", "b" "two"}',
        '{"a": "one",\n "b" "two"}',
        '{"a": "the set "} is small\n},\n{',
        '{"a" ["b", {"a": "the set \\""} is sma',
    ],
)
def test_nothing_is_closed_that_the_text_does_not_close(text: str) -> None:
    """A quote or brace that was forgotten costs its object, and joins no two texts."""
    assert read(text) == []


@pytest.mark.parametrize("key", ["c ontext", "con\ttext", "con\ntext", "contex t"])
def test_no_text_swallows_a_known_key_with_a_space_in_it(key: str) -> None:
    """Its object is lost, as with any key that is spoiled."""
    text = f"{{content: 'The boat is late.',{key}: 'It hurts.'}}"
    assert LooseReader(len(text), ["content", "context"]).roots(text).found == []


MIB4 = 4 * 1024 * 1024
STARTS = (
    "{", "[", '{"', '["', "{“", '{"a":', "[1,", "{'{\"", "[/*", '{"a":"b"', '{"a":"b",“', '{a:"" x', '"\\',
    '["a" ', '{"a":"b" \n', '{"a":""', "{ ", "{//\n", '{"a":1', "{'", "\\u0000", "<think>", "</think>{",
    "[[]", "{a:[", '{"content":"x"', "[#", '{"a"}',
)  # fmt: skip


@pytest.mark.parametrize("start", STARTS)
def test_the_work_is_bounded(start: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """4 MiB of any beginning: each step is counted, so that it takes about a second at most."""
    steps = 0
    spend = LooseReader._spend

    def counting(reader: LooseReader, characters: int) -> None:
        nonlocal steps
        steps += 1
        spend(reader, characters)

    monkeypatch.setattr(LooseReader, "_spend", counting)
    text = start * (MIB4 // 16 // len(start))
    LooseReader(len(text)).roots(text)
    assert steps <= (WORK_MIN + WORK_PER_CHARACTER * len(text)) / STEP_WORK + 1


def test_a_flood_of_values_ends_and_what_was_whole_before_counts() -> None:
    """The first notes of an answer that repeats itself for ever."""
    found = read("[" + '{"a": 1}, ' * VALUES_MAX)
    assert found == [{"a": 1}] * (VALUES_MAX // 2)
