"""The process that makes one export, so that rendering never holds up anybody's events.

Reads a job from standard input; writes one line of JSON, whether there is an export and for how many notes,
and then the export. Its priority is low and its memory limited; the bridge may kill it at any time.
"""

import asyncio
import json
import os
import resource
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

from gather_bridge.exports.department_reports import Cover, Department, departments_of, facts_of
from gather_bridge.exports.export_formats import Ended, Format
from gather_bridge.exports.note_records import SHOWN_FIELDS, Record, moment_of_ms, record_of
from gather_bridge.exports.stored_notes import NOTES_MAX, Key, NotesUnavailable, Scope, StoredNotes
from gather_clients.notes.note_reading import Unread

BYTES_MAX: Final = 1024**3
"""Of documents; twice as much is more than an archive's entry may hold."""
MEMORY_MAX: Final = 1024**3
"""Of addresses, most of which are never used."""
NICENESS: Final = 10
NAMED_MAX: Final = 32
WHOLE: Final = 64 * 1024
"""Written at once, at least."""


def main() -> None:
    """Make the export that standard input asks for."""
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
    job = json.load(sys.stdin.buffer)
    sys.exit(asyncio.run(_export(job, _Answer(sys.stdout.buffer))))


async def _export(job: Mapping[str, Any], answer: "_Answer") -> int:
    """Return the process's exit code: 0 if all of the export is written."""
    stored = StoredNotes(job["uri"], job["timeout_s"])
    try:
        snapshot = job["snapshot"]
        uid = snapshot["run_uid"] if snapshot else ""
        if job["run"] and not uid:
            uid = await stored.run_uid(job["project_id"], job["run"])
            if not uid:
                return answer.refuse(404, "not_found", "no such run")
        scope = Scope(job["project_id"], uid, job["department"])
        keys = await stored.all_keys(scope)
        if len(keys) > NOTES_MAX or sum(key.size for key in keys) > BYTES_MAX:
            return answer.refuse(422, "too_large", "too many notes for one export: ask by run or department")
        checkpoints = await stored.checkpoints(scope.project_id, scope.run_uid)
        plan = plan_of(scope, job["run"], snapshot, keys, checkpoints)
        if scope.department and not plan.departments:
            return answer.refuse(404, "not_found", no_such_department(plan))
        answer.begin()
        await _write(stored, plan, answer, format_named(job["format"]))
    except NotesUnavailable as error:
        print(error, file=sys.stderr)  # noqa: T201 - for the bridge's log
        return answer.refuse(503, "unavailable", "notes cannot be read now; try again")
    finally:
        await stored.close()
    return 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What an export holds, in its order."""

    scope: Scope
    cover: Cover
    departments: Sequence[Department]
    known: Sequence[str]
    """Slugs of all departments."""
    keys: Mapping[str, Sequence[Key]]
    """By department's slug, the oldest first; "" for notes without one."""


def plan_of(
    scope: Scope, run: str, snapshot: Mapping[str, Any] | None, keys: Sequence[Key],
    checkpoints: Sequence[Mapping[str, Any]],
) -> Plan:  # fmt: skip
    """Return what an export holds: the whole film's notes first, then departments in the run's order."""
    by_slug: dict[str, list[Key]] = {}
    names: dict[str, str] = {}
    for key in sorted(keys, key=lambda key: (key.at_ms, key.text)):
        by_slug.setdefault(key.department, []).append(key)
        names[key.department] = names.get(key.department) or key.department_name
    counts = {slug: len(keys) for slug, keys in by_slug.items()}
    departments = departments_of(snapshot, checkpoints, names, counts)
    known = [each.slug for each in departments]
    if scope.department:
        departments = [each for each in departments if each.slug == scope.department]
    newest = max((key.at_ms for key in keys), default=0)
    cover = Cover(scope.project_id, run, scope.department, facts_of(snapshot), moment_of_ms(newest) or "")
    return Plan(scope, cover, departments, known, by_slug)


def no_such_department(plan: Plan) -> str:
    """Return what to say where nobody knows the department."""
    if not plan.known:
        return "no such department: there are none yet"
    return f"no such department; there are: {', '.join(plan.known[:NAMED_MAX])}"


async def _write(stored: StoredNotes, plan: Plan, answer: "_Answer", export: Format) -> None:
    notes, left_out = 0, Counter[Unread]()
    answer.put(export.begin(plan.cover, plan.departments))
    whole_film: list[Department | None] = [None] if "" in plan.keys else []
    for section in (*whole_film, *plan.departments):
        keys = plan.keys.get(section.slug if section else "", ())
        answer.put(export.section(section))
        fields = None if export.is_raw else SHOWN_FIELDS
        async for _, document in stored.documents(plan.scope, keys, fields):
            record = record_of(document, plan.scope.project_id)
            if isinstance(record, Record):
                notes += 1
                answer.put(export.note(record))
            else:
                left_out[record] += 1
                answer.put(export.unread(record, document))
    answer.put(export.end(Ended(notes, left_out)))
    answer.flush()


class _Answer:
    """One line that says whether there is an export, then its bytes, in pieces that are worth sending."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._pieces: list[bytes] = []
        self._size = 0
        self._has_begun = False

    def begin(self) -> None:
        self._say({"status": 200})

    def refuse(self, status: int, error: str, message: str) -> int:
        """Say why there is none, unless it has begun: then its end is missing."""
        if not self._has_begun:
            self._say({"status": status, "error": error, "message": message})
        return 1

    def put(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)
        if self._size >= WHOLE:
            self.flush()

    def flush(self) -> None:
        self._out.write(b"".join(self._pieces))
        self._out.flush()
        self._pieces.clear()
        self._size = 0

    def _say(self, line: Mapping[str, Any]) -> None:
        self._has_begun = True
        self._out.write(json.dumps(line).encode() + b"\n")
        self._out.flush()


def format_named(name: str) -> Format:
    """Return the format; each is imported only where it is asked for."""
    if name == "jsonl":
        from gather_bridge.exports.jsonl_format import JsonLines  # noqa: PLC0415

        return JsonLines()
    if name == "csv":
        from gather_bridge.exports.csv_format import Csv  # noqa: PLC0415

        return Csv()
    if name == "md":
        from gather_bridge.exports.markdown_format import Markdown  # noqa: PLC0415

        return Markdown()
    from gather_bridge.exports.docx_format import Docx  # noqa: PLC0415

    return Docx()


if __name__ == "__main__":
    main()
