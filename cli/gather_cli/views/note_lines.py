"""Notes on a terminal; pure."""

import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from gather_cli.views.printing import table
from gather_cli.views.terminal import Terminal, plain

WIDTH: Final = 100
SHOWN: Final = 70


def note_lines(notes: Iterable[Mapping[str, Any]], terminal: Terminal) -> Iterator[str]:
    """Yield each note: a line of what it is, and its text below it."""
    for note in notes:
        origin = note.get("provenance") or {}
        head = [
            terminal.paint(plain(note.get("department") or "whole film"), "bold"),
            plain(note.get("by", "")),
            f"iteration {origin['iteration']}" if origin.get("iteration") else "",
            f"quality {origin['quality_score']:g}"
            if isinstance(origin.get("quality_score"), int | float)
            else "",
            terminal.paint(plain(note.get("created_at") or "")[:19], "dim"),
            terminal.paint(plain(note.get("id", "")), "dim"),
        ]
        yield "  ".join(filter(None, head))
        text = plain(note.get("content") or note.get("summary") or "")
        yield from textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="  ")
        yield ""


def notes_table(notes: Iterable[Mapping[str, Any]], terminal: Terminal) -> Iterator[str]:
    """Yield a table, a note a row."""
    rows = [["ID", "DEPARTMENT", "BY", "CREATED", "NOTE"]]
    for note in notes:
        text = plain(note.get("summary") or note.get("content") or "")
        shown = text if len(text) <= SHOWN else f"{text[: SHOWN - 1]}{terminal.glyph('…', '.')}"
        rows.append([
            plain(note.get("id", "")), plain(note.get("department") or "-"), plain(note.get("by", "")),
            plain(note.get("created_at") or "-")[:19], shown,
        ])  # fmt: skip
    yield from table(rows, terminal, {})
