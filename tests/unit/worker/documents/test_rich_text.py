"""The words in what people's editors store, and nothing else."""

import json
import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gather_worker.documents.rich_text import TEXT_MAX, plain_text
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
def test_no_value_takes_long_or_grows(value: Any) -> None:
    """Whoever writes a note decides neither the worker's time nor its memory."""
    started = time.process_time()
    assert len(plain_text(value)) <= TEXT_MAX
    assert time.process_time() - started < 3


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
