"""The words in what people's editors store, and nothing else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gather_contracts.rich_text import FIELD_VISITED_MAX, TEXT_MAX, field_text, plain_text
from tests.support.application_documents import COUNTS, LEXICAL, PROSEMIRROR, QUILL, SLATE


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (LEXICAL, f"The pump\n{COUNTS}\nsalt\nNever show the sea.\nThe sluice gate"),
        (SLATE, f"The pump\n{COUNTS}\nsalt\nSee the tide"),
        (PROSEMIRROR, f"The pump\n{COUNTS}"),
        (QUILL, COUNTS),
        ({"type": "paragraph", "children": [{"text": "a"}, {"type": "linebreak"}, {"text": "b"}]}, "a\nb"),
        ({"text": "The pump.", "why": "It is the heart."}, "The pump.\nIt is the heart."),
        ({"id": "66f1a2b3c4d5e6f708192a3b", "url": "https://x.org", "at": "2026-01-05T09:30:00Z"}, ""),
        ('"We never see it."', "We never see it."),
        ("12", "12"),
        ("[INST] is a word in brackets", "[INST] is a word in brackets"),
        ("a < b, and </data> is no tag of ours", "a < b, and </data> is no tag of ours"),
        ("<p>one</p><script>bad()</script><p>two &lt; three</p>", "one\ntwo < three"),
        ("<!DOCTYPE html><html><head><title>Pump</title></head><body>salt</body></html>", "Pump\nsalt"),
        ("<!--StartFragment--><table><tr><td>one</td><td>two</td></tr></table>", "one\ntwo"),
        ("Marta counts<br>every <b>stroke</b> of <Ada>.", "Marta counts\nevery stroke of <Ada>."),
        ("<p><img src='p.png' alt='The sluice gate'></p>", "The sluice gate"),
        (
            {"style": "Hand-held, grainy film", "color": "Red returns", "status": "draft"},
            "Hand-held, grainy film\nRed returns",
        ),
        ({"type": "image", "style": "width: 10px; color: red", "tag": "h2"}, ""),
        ({"data": {"id": 1, "attributes": {"title": "The pump", "locale": "en"}}}, "The pump\nen"),
        (
            {
                "ops": [
                    {"insert": {"image": "https://x.org/p.png"}, "attributes": {"alt": "The sluice gate"}},
                    {"insert": "salt\n"},
                ]
            },
            "The sluice gate\nsalt",
        ),
        ("\ufeff" + json.dumps({"note": "salt"}), "salt"),
        ("\u200b\n\u2060", ""),
        ({"root": {"children": [{"type": "paragraph", "children": [{"text": "\u200b"}]}]}}, ""),
        ("नमक\u200dं", "नमक\u200dं"),
        (None, ""),
        (True, ""),
        (7, "7"),
        (b"bytes", ""),
    ],
)
def test_what_a_reader_sees_is_read(value: Any, text: str) -> None:
    """Labels, addresses, ids and formats are not; as JSON in a text it is the same."""
    assert plain_text(value) == text
    if isinstance(value, dict | list):
        assert plain_text(json.dumps(value)) == text


@pytest.mark.parametrize(
    "value",
    [
        "[" * 50_000 + "]" * 50_000,
        {"children": [{"children": [{"text": "x " * 100}] * 1000}] * 1000},
        "<p>" * 200_000,
        json.dumps(["word"] * 300_000),
        "<" * 300_000,
    ],
    ids=["deep", "wide", "tags", "long list", "brackets"],
)
def test_no_value_grows(value: Any) -> None:
    """The author of a note does not decide the worker's memory."""
    assert len(plain_text(value)) <= TEXT_MAX


class Counted(list[Any]):
    """A list that counts how many of its values were looked at."""

    looked_at = 0

    def __iter__(self) -> Iterator[Any]:
        for value in super().__iter__():
            self.looked_at += 1
            yield value


@pytest.mark.parametrize(
    "values",
    [
        [{"text": "x"}],
        ["word"],
        [[]],
        [{"type": "paragraph", "children": [{"text": ""}]}],
        [{"type": "link", "children": [{"type": "text", "text": ""}]}],
        [{"a": 1}],
    ],
    ids=["leaves", "words", "lists", "paragraphs", "links", "data"],
)
def test_no_value_takes_long(values: list[Any]) -> None:
    """Nor the time, nor do hundreds of fields that the operator reads at once: the rest is not looked at."""
    for root in (lambda these: these, lambda these: {"type": "link", "children": these}):
        wide = Counted(values * 20_000)
        plain_text([root(wide)], visited_max=FIELD_VISITED_MAX)
        assert wide.looked_at <= FIELD_VISITED_MAX + 1
        wide.looked_at = 0
        field_text({"children": [root(wide)]}, 100)
        assert wide.looked_at <= FIELD_VISITED_MAX + 1


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda below: st.lists(below, max_size=4) | st.dictionaries(
        st.sampled_from(["text", "children", "type", "root", "value", "content", "insert", "note"]),
        below,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@given(TREES)
@example([{"type": [None]}])
def test_any_tree_is_read(tree: Any) -> None:
    """Without an error, whatever its author meant."""
    assert isinstance(plain_text(tree), str)


WORDS = st.text(st.sampled_from("abcdefgäßéλж"), min_size=1, max_size=8)
PARAGRAPHS = st.lists(st.lists(WORDS, min_size=2, max_size=6).map(" ".join), min_size=1, max_size=4)


def in_every_form(paragraphs: list[str]) -> dict[str, Any]:
    """Return the same text as each editor stores it."""
    typed = [{"type": "text", "text": text} for text in paragraphs]
    valued = [{"nodeType": "text", "value": text, "marks": [], "data": {}} for text in paragraphs]
    return {
        "plain": "\n".join(paragraphs),
        "HTML": "".join(f"<p>{text}</p>" for text in paragraphs),
        "Lexical": {"root": {"type": "root", "children": [
            {"type": "paragraph", "version": 1, "children": [leaf]} for leaf in typed
        ]}},
        "Slate": [{"children": [{"text": text, "bold": True}]} for text in paragraphs],
        "ProseMirror": {"type": "doc", "content": [
            {"type": "paragraph", "content": [leaf]} for leaf in typed
        ]},
        "Quill": {"ops": [{"insert": f"{text}\n"} for text in paragraphs]},
        "Draft.js": {"entityMap": {}, "blocks": [
            {"key": "k", "text": text, "type": "unstyled", "depth": 0, "data": {}} for text in paragraphs
        ]},
        "Editor.js": {"time": 1, "blocks": [
            {"id": "i", "type": "paragraph", "data": {"text": text}} for text in paragraphs
        ]},
        "Contentful": {"nodeType": "document", "data": {}, "content": [
            {"nodeType": "paragraph", "data": {}, "content": [leaf]} for leaf in valued
        ]},
    }  # fmt: skip


@given(PARAGRAPHS)
@settings(deadline=None)
def test_a_text_is_the_same_in_every_editor(paragraphs: list[str]) -> None:
    """A line for each paragraph, of a note and of a CMS's field, and as JSON within a text."""
    wanted = "\n".join(paragraphs)
    for name, value in in_every_form(paragraphs).items():
        assert plain_text(value) == wanted, name
        assert field_text(value, len(wanted)) == wanted, name
        assert field_text({"de": "", "en": value}, len(wanted)) == wanted, name
        if not isinstance(value, str):
            assert plain_text(json.dumps(value)) == wanted, name


@given(TREES, st.integers(1, 50))
def test_a_field_is_bounded_and_has_no_empty_line(tree: Any, characters_max: int) -> None:
    """Whatever its author meant; nothing but what a reader sees."""
    text = field_text(tree, characters_max)
    assert len(text) <= characters_max
    assert text == text.strip()
    assert all(line.strip() for line in text.split("\n")) or text == ""
    assert not any(c not in {"\n", "\t"} and ord(c) < 32 for c in text)
