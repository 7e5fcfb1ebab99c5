"""Markdown: nothing that a note says is lost, and nothing of it changes the document's structure."""

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from gather_bridge.exports.markdown_format import escaped, escaped_text
from gather_bridge.exports.note_records import Record
from tests.support.application.rendered_exports import note_text, rendered, rendered_film, rendered_note

READER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
SIGNS = "ab1i \n\t\\`*_[]<>|~$^{}@#&;:+-=%.()!\"'/w\u00a0"
WORDS = st.one_of(st.text(), st.text(alphabet=SIGNS, max_size=60), st.lists(
    st.sampled_from(["http://a_b.c/*d*", "www.x_y.z", "- ", "1. ", "\n\n", "    ", "***", "</b>", "&amp;",
                     "[a](b)", "| a |", "|---|", "===", "```", "a", "#", "> ", ":smile:", "\\", "![", "\t"]),
    max_size=12,
).map("".join))  # fmt: skip


def letters(text: str) -> str:
    """Return a text without its spaces: how many there are is no matter of Markdown's."""
    return re.sub(r"\s+", "", text)


def shown(tokens: list[Token] | None) -> str:
    """Return what a reader of the rendered tokens sees."""
    return "".join(
        shown(token.children) if token.children else token.content if "text" in token.type else ""
        for token in tokens or []
    )


def inline_kinds(tokens: list[Token]) -> set[str]:
    return {child.type for token in tokens for child in token.children or []}


@given(WORDS)
@settings(max_examples=300, deadline=None)
def test_a_text_comes_back_as_it_was(text: str) -> None:
    """Paragraphs, breaks and words, and addresses as links to themselves; no mark-up at all."""
    record = note_text(content=text)
    if not isinstance(record, Record):
        return
    content = record.note.content
    tokens = READER.parse(escaped_text(content))
    assert letters(shown(tokens)) == letters(content)
    assert {token.type for token in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
    assert inline_kinds(tokens) <= {
        "text",
        "text_special",
        "hardbreak",
        "softbreak",
        "link_open",
        "link_close",
    }
    links = [c for t in tokens for c in t.children or [] if c.type == "link_open"]
    assert all(str(link.attrs["href"]).lower().startswith("http") for link in links)


@given(WORDS)
@settings(max_examples=200, deadline=None)
def test_a_line_is_one_heading_or_one_cell(text: str) -> None:
    """Wherever it stands."""
    record = note_text(content=text)
    if not isinstance(record, Record):
        return
    line = " ".join(record.note.content.split())
    heading = READER.parse(f"# {escaped(line)}")
    assert [token.type for token in heading] == ["heading_open", "inline", "heading_close"]
    assert letters(shown(heading)) == letters(line)
    table = READER.parse(f"| a | b |\n| --- | --- |\n| {escaped(line)} | c |\n")
    cells = [shown(token.children) for token in table if token.type == "inline"]
    assert [*map(letters, cells)] == ["a", "b", letters(line), "c"]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Chapter\n===", id="line under a heading"),
        pytest.param("Chapter\n---", id="dashes under a heading"),
        pytest.param("    four spaces", id="code by spaces"),
        pytest.param("word\n\n\tcode by a tab", id="code by a tab"),
        pytest.param("- [ ] task", id="task"),
        pytest.param("12) twelve", id="numbered"),
        pytest.param("```\nnever closed", id="fence"),
        pytest.param("<!-- never closed", id="comment"),
        pytest.param("a\\", id="backslash at the end"),
        pytest.param("# # #", id="closing signs"),
    ],
)
def test_what_readers_take_for_structure_stays_text(text: str) -> None:
    record = note_text(content=text)
    assert isinstance(record, Record)
    tokens = READER.parse(escaped_text(record.note.content))
    assert {token.type for token in tokens} == {"paragraph_open", "inline", "paragraph_close"}
    assert letters(shown(tokens)) == letters(text)


def headings(markdown: bytes) -> list[tuple[str, str]]:
    tokens = READER.parse(markdown.decode())
    return [
        (token.tag, shown(after.children))
        for token, after in itertools.pairwise(tokens)
        if token.type == "heading_open"
    ]


def test_departments_stand_in_the_run_s_order() -> None:
    """With title, table, and a heading for each note."""
    found = headings(rendered_film("md", of_run=True))
    assert [text for tag, text in found if tag == "h2"] == ["Departments", "Story", "Character", "Sound"]
    assert found[0] == ("h1", "Notes of the-salt-road")
    assert [text for tag, text in found if tag == "h3"][:2] == [
        "1. Marta hears the debt before she sees it",
        "2. The road is the antagonist",
    ]


def test_a_project_s_notes_say_who_wrote_them() -> None:
    """People's come with them, and what is no note is counted."""
    said = rendered_film("md", of_run=False).decode()
    assert said.count("> Written by a person: user-7") == 10
    assert said.count("> Written by Gather") == 6
    assert "1 without text" in said
    assert "brother" not in said


def test_an_export_of_nothing_says_so() -> None:
    assert rendered("md", []).decode().endswith("\n\nNo notes.\n\n")


def test_a_summary_that_is_no_heading_is_kept() -> None:
    """A long one is cut in the heading alone."""
    summary = "Marta counts. " * 30
    said = rendered_note("md", summary=summary, content="Salt.").decode()
    assert f"**Summary:** {summary.strip()}" in said


def test_scores_stand_against_thresholds() -> None:
    said = rendered_film("md", of_run=True).decode()
    assert "| Story | 84.2 | 80 | yes | 3 | 3 | threshold reached |" in said
    assert "| Character | 77.3 | 80 | no |" in said
    assert "- the ending (high, covered 34 of 100): Say what Marta owes at the end." in said
