"""A CMS's field: text in every form in which Payload keeps it, in one language, within bounds."""

from typing import Any

import pytest

from gather_contracts.rich_text import FIELD_VISITED_MAX, field_text, localized
from gather_contracts.text_cleaning import writable


def lexical(*children: Any) -> dict[str, Any]:
    """A document as Payload's Lexical editor stores it."""
    return {"root": {"type": "root", "format": "", "version": 1, "children": list(children)}}


def paragraph(*children: Any, kind: str = "paragraph") -> dict[str, Any]:
    return {"type": kind, "version": 1, "children": list(children)}


def words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text, "format": 1, "mode": "normal", "detail": 0}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param("Plain text", "Plain text", id="plain"),
        pytest.param("Two \n\n lines\r\n", "Two\nlines", id="plain lines"),
        pytest.param(lexical(paragraph(words("One "), words("bold")), paragraph(words("Two"))),
                     "One bold\nTwo", id="lexical"),
        pytest.param(lexical(paragraph(words("a"), {"type": "linebreak", "version": 1}, words("b"))), "a\nb",
                     id="lexical line break"),
        pytest.param(lexical(paragraph(words("see "), paragraph(words("here"), kind="link"), words("."))),
                     "see here.", id="lexical link"),
        pytest.param(lexical(paragraph(paragraph(words("x"), kind="listitem"),
                                       paragraph(words("y"), kind="listitem"), kind="list")), "x\ny",
                     id="lexical list"),
        pytest.param(lexical({"type": "upload", "value": 7, "relationTo": "media"}), "", id="picture only"),
        pytest.param([{"children": [{"text": "Slate "}, {"text": "bold", "bold": True}]},
                      {"type": "h2", "children": [{"text": "Heading"}]}], "Slate bold\nHeading", id="slate"),
        pytest.param([{"type": "ul", "children": [{"type": "li", "children": [{"text": "x"}]},
                                                  {"type": "li", "children": [{"text": "y"}]}]}], "x\ny",
                     id="slate list"),
        pytest.param({"de": "Geschichte", "en": "Story"}, "Story", id="English of two languages"),
        pytest.param({"en": "", "pt-BR": "História"}, "História", id="the only language that is filled"),
        pytest.param({"de": lexical(paragraph(words("Geschichte")))}, "Geschichte",
                     id="rich text of a language"),
        pytest.param(None, "", id="null"),
        pytest.param([], "", id="nothing"),
        pytest.param(5, "", id="a number"),
        pytest.param({"root": None}, "", id="no root"),
        pytest.param({"type": ["hr"], "text": "text"}, "text", id="a type that is none"),
        pytest.param("<p>One</p><p>two &amp; three</p>", "One\ntwo & three", id="HTML"),
        pytest.param({"type": "doc", "content": [{"type": "paragraph", "content": [
            {"type": "text", "text": "ProseMirror"}]}]}, "ProseMirror", id="ProseMirror"),
        pytest.param({"en": [{"children": [{"text": "Slate of a language"}]}]}, "Slate of a language",
                     id="Slate of a language"),
        pytest.param([None, 3, {"children": "text"}], "text", id="not as any editor writes it"),
    ],
)  # fmt: skip
def test_the_text_of_every_form_is_read(value: Any, text: str) -> None:
    """A line for each paragraph, without what only formats it."""
    assert field_text(value, 100) == text


@pytest.mark.parametrize(
    "text", [f"a{chr(0xD800)}b", f"a{chr(0xDFFF)}b", "a\x00b", "a\tb", "a\x1b\x7fb", "a\x9fb"], ids=ascii
)
def test_what_no_store_takes_is_taken_out(text: str) -> None:
    """Halves of characters cannot be written in UTF-8, control characters not in every field."""
    for clean in (writable(text), field_text(text, 100), field_text(lexical(paragraph(words(text))), 100)):
        assert clean in {"ab", "a b", "a\tb", "a\ufffdb"}
        clean.encode()


def test_two_halves_in_two_nodes_are_no_character() -> None:
    """Joined they would still be two halves to Python."""
    assert field_text([{"text": "\ud83d"}, {"text": "\ude00"}], 10) == ""


def test_a_text_is_cut() -> None:
    """Not refused: its beginning says what it is about."""
    assert field_text("word " * 50, 20) == "word word word word"


def test_depth_and_breadth_are_bounded() -> None:
    """Whoever can write to the CMS must not stop the operator."""
    deep: Any = {"text": "bottom"}
    for _ in range(FIELD_VISITED_MAX):
        deep = {"children": [deep]}
    assert field_text(deep, 100) == ""
    wide = field_text([{"text": "x"}] * (3 * FIELD_VISITED_MAX), 10**6)
    assert 0 < len(wide) <= FIELD_VISITED_MAX


@pytest.mark.parametrize("value", ["en", None, 3, {}, {"root": {}}, {"relationTo": "models", "value": 3}])
def test_what_is_not_localized_stays_as_it_is(value: Any) -> None:
    """Keys that are no language."""
    assert localized(value) == value
