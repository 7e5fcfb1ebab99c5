"""What every format of an export has to be able to write; pure: notes in, bytes out, nothing held back."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from gather_bridge.exports.department_reports import Cover, Department
from gather_bridge.exports.note_records import Record, moment
from gather_clients.notes.note_reading import Unread

WHOLE_FILM: Final = "Notes of the whole film"
NONE: Final = "\N{EN DASH}"
_CAPITAL: Final = re.compile(r"(?<=[a-z])(?=[A-Z])")
LEFT_OUT: Final = {
    Unread.NO_TEXT: "without text, such as pictures that nobody has described",
    Unread.NOT_CANON: "marked as not of the film",
    Unread.OTHER_PROJECT: "of another project",
    Unread.BAD_ID: "with an unusable id",
    Unread.DAMAGED: "damaged",
    Unread.TOO_LARGE: "too large",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """What an export was in the end."""

    notes: int
    left_out: Mapping[Unread, int]
    """Documents that are no notes, by reason."""


class Format(ABC):
    """Writes one export: `begin`, then for each section `section` and its notes, then `end`."""

    media_type: ClassVar[str]
    is_raw: ClassVar[bool] = False
    """Whether it needs documents as they are stored, with all fields."""

    @abstractmethod
    def begin(self, cover: Cover, departments: Sequence[Department]) -> bytes:
        """Return the beginning."""

    def section(self, department: Department | None) -> bytes:  # noqa: ARG002
        """Return the beginning of a department, None: of the notes without one."""
        return b""

    @abstractmethod
    def note(self, record: Record) -> bytes:
        """Return one note."""

    def unread(self, why: Unread, document: Mapping[str, Any]) -> bytes:  # noqa: ARG002
        """Return what becomes of a document that is no note."""
        return b""

    def end(self, ended: Ended) -> bytes:  # noqa: ARG002
        """Return the end."""
        return b""


def title_of(cover: Cover) -> str:
    """Return an export's title."""
    return f"Notes of {cover.run}" if cover.run else "Notes of the project"


def cover_lines(cover: Cover) -> list[tuple[str, str]]:
    """Return what an export for readers says first, as names and values."""
    facts = cover.facts
    lines = [("Project", cover.project_id)]
    if cover.run:
        ended = ", ".join(filter(None, (words(_text(facts.get(name))) for name in ("phase", "reason"))))
        lines += [("Run", cover.run), ("State", ended)]
        lines += [("From", day(_text(facts.get("started_at")))), ("To", day(_text(facts.get("ended_at"))))]
        if facts.get("quality_score"):
            lines.append(("Quality", number(facts["quality_score"])))
        if facts.get("cost_usd"):
            lines.append(("Cost", f"{facts['cost_usd']:.2f} USD"))
    else:
        lines.append(("Contains", "notes of people and of every run"))
    lines += [("Department", cover.department), ("Newest note", day(cover.changed))]
    return [(name, value) for name, value in lines if value]


def score_rows(departments: Sequence[Department]) -> Sequence[tuple[str, ...]]:
    """Return the overview of departments: a head and a row each."""
    rows = [("Department", "Quality", "Threshold", "Reached", "Iterations", "Notes", "State")]
    for each in departments:
        state = words(each.reason or each.phase)
        rows.append((
            each.title, number(each.score), number(each.threshold), reached(each),
            str(each.iterations or NONE), str(each.documents), state or NONE,
        ))  # fmt: skip
    return rows


def reached(department: Department) -> str:
    """Return whether the threshold is reached, where that is known."""
    if department.score is None or not department.threshold:
        return NONE
    return "yes" if department.score >= department.threshold else "no"


def parts_line(department: Department) -> str:
    """Return the parts of a department's score in one line."""
    return ", ".join(f"{name} {number(part)}" for name, part in department.parts.items())


def gap_lines(department: Department) -> list[str]:
    """Return the gaps, one a line."""
    lines = []
    for gap in department.gaps:
        known = [gap.severity, "" if gap.coverage is None else f"covered {number(gap.coverage)} of 100"]
        about = ", ".join(filter(None, known))
        lines.append(
            f"{gap.aspect}{f' ({about})' if about else ''}{f': {gap.suggestion}' if gap.suggestion else ''}"
        )
    return lines


def provenance_line(record: Record) -> str:
    """Return who wrote a note, by what, and when."""
    note, origin = record.note, record.note.origin
    when = day(moment(note.created_at) or "", with_time=True)
    if not note.is_automated:
        parts = [f"Written by a person: {note.user_id}" if note.user_id else "Written by a person", when]
    elif origin is None:
        parts = ["Written by Gather", when]
    else:
        score = "" if origin.quality_score is None else f"quality after it {number(origin.quality_score)}"
        parts = [
            "Written by Gather", f"run {origin.run}" if origin.run else "",
            f"iteration {origin.iteration}" if origin.iteration else "", score, origin.model,
            f"for {note.user_id}" if note.user_id else "", when,
        ]  # fmt: skip
    return " · ".join(filter(None, [*parts, "settled" if note.is_locked else "", note.id]))


def heading_of(record: Record, length: int) -> str:
    """Return one line that names a note: its summary, or else the beginning of its text."""
    line = " ".join((record.note.summary or record.note.content).split())
    if len(line) <= length:
        return line
    cut = line[:length].rsplit(" ", 1)[0] if " " in line[:length] else line[:length]
    return f"{cut.rstrip()}…"


def lead_of(record: Record, heading: str) -> str:
    """Return the summary where the heading does not say all of it and the content does not repeat it."""
    summary = record.note.summary
    is_said = summary in {record.note.content, heading} or " ".join(summary.split()) == heading
    return "" if is_said else summary


def body_of(record: Record, heading: str) -> str:
    """Return the content, "" if the heading says all of it."""
    return "" if record.note.content == heading else record.note.content


def context_of(record: Record) -> str:
    """Return the context, "" if it says what the content says."""
    note = record.note
    return "" if note.context == note.content else note.context


def left_out_line(left_out: Mapping[Unread, int]) -> str:
    """Return what was left out, as a sentence; "" if nothing was."""
    parts = [f"{count} {LEFT_OUT[why]}" for why, count in sorted(left_out.items()) if count]
    if not parts:
        return ""
    return f"Documents of the project that are no notes and are not shown: {'; '.join(parts)}."


def words(reason: str) -> str:
    """Return a phase or a reason as people write it."""
    return _CAPITAL.sub(" ", reason).lower()


def number(value: float | None) -> str:
    """Return a number as people write it."""
    return NONE if value is None else f"{value:.1f}".removesuffix(".0")


def day(at: str, *, with_time: bool = False) -> str:
    """Return a moment (RFC 3339) as a date, in UTC."""
    return f"{at[:10]} {at[11:16]} UTC" if with_time and len(at) > 16 else at[:10]  # noqa: PLR2004


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
