"""What `gather-worker preview` prints, as data for programs and as lines for people; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from gather_contracts.text_cleaning import shortened
from gather_worker.cli.score import judge_report, parts_report
from gather_worker.department.task import DepartmentTask
from gather_worker.duplicates.candidates import DecidedBy, Repeat
from gather_worker.duplicates.word_overlap import copy_key
from gather_worker.llm.ledger import Ledger
from gather_worker.prompts import Prompt
from gather_worker.prompts.tokens import count_tokens
from gather_worker.steps.measuring import QualityMeasurer
from gather_worker.steps.previewing import Written

SHOWN_CHARS: Final = 160
"""Of a text in the table; JSON has all of it."""


@dataclass(frozen=True, slots=True)
class Context:
    """What the prompt was made from."""

    notes_from: str
    notes: int
    has_brain: bool


@dataclass(frozen=True, slots=True)
class Spent:
    """What the preview came to."""

    ledger: Ledger
    most_usd: float | None
    seconds: float


def report_of(
    task: DepartmentTask,
    prompt: Prompt,
    written: Written | None,
    *,
    measurer: QualityMeasurer,
    context: Context,
    spent: Spent,
) -> dict[str, Any]:
    """Return the report; `notes` and `quality` are null where the model was not asked."""
    department, own = task.department, task.department.instructions
    quality = written.measurement.quality if written else None
    return {
        "department": department.slug,
        "project": task.document.spec.project_id,
        "model": department.model,
        "writer": written.writer if written else None,
        "prompt": {
            "version": prompt.version,
            "tokens": count_tokens(prompt.system) + count_tokens(prompt.user),
            "characters": len(prompt.system) + len(prompt.user),
            "basedOnNotes": len(prompt.based_on),
            "messages": prompt.messages(),
        },
        "context": {
            "notesFrom": context.notes_from,
            "notes": context.notes,
            "brain": context.has_brain,
            "instructions": bool(own and own.text),
            "examples": len(department.example_notes),
        },
        "notes": written and _notes_of(written, department.example_notes),
        "quality": written
        and {
            "score": quality.score if quality else None,
            "parts": parts_report(quality),
            "scored": len(written.scored),
            "judge": judge_report(measurer, written.measurement),
            "gaps": written.measurement.gaps or [],
        },
        "cost": {
            "usd": spent.ledger.total_usd,
            "mostUSD": spent.most_usd,
            "tokensIn": spent.ledger.tokens_in,
            "tokensOut": spent.ledger.tokens_out,
            "requests": spent.ledger.requests,
            "seconds": spent.seconds,
        },
    }


def _notes_of(written: Written, examples: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "content": draft.content,
            "summary": draft.summary,
            "context": draft.context,
            "repeats": _repeat_of(written.choice.repeats.get(slot), examples),
        }
        for slot, draft in enumerate(written.drafts)
    ]


def _repeat_of(repeat: Repeat | None, examples: Sequence[str]) -> dict[str, Any] | None:
    """Return why a note would be dropped, None for one that would be kept."""
    if repeat is None:
        return None
    is_example = copy_key(repeat.text) in map(copy_key, examples)
    saved = "example" if is_example else "saved note"
    return {
        "text": repeat.text,
        "of": saved if repeat.slot is None else f"note {repeat.slot + 1}",
        "cosine": None if repeat.cosine is None else round(repeat.cosine, 3),
        "decidedBy": repeat.decided_by.value,
    }


# --- for people


def table_of(report: Mapping[str, Any]) -> str:
    """Return the report as lines."""
    lines = [
        f"{report['department']}  {report['model']}",
        _prompt_line(report),
        *_prompt_text(report["prompt"]),
        *_note_lines(report["notes"]),
        *_quality_lines(report["quality"]),
        _cost_line(report["cost"]),
        "nothing was written",
    ]
    return "\n".join([*lines, ""])


def _prompt_line(report: Mapping[str, Any]) -> str:
    prompt, context = report["prompt"], report["context"]
    guidance = [
        *(("instructions",) if context["instructions"] else ()),
        *((f"{context['examples']} examples",) if context["examples"] else ()),
    ]
    read = f"{context['notes']} notes of the project ({context['notesFrom']})"
    brain = "with the brain" if context["brain"] else "without the brain"
    parts = (prompt["version"], f"{prompt['tokens']:,} tokens", *guidance, read, brain)
    return f"prompt   {', '.join(parts)}"


def _prompt_text(prompt: Mapping[str, Any]) -> list[str]:
    return [f"--- {each['role']}\n{each['content']}" for each in prompt.get("messages", ())]


def _note_lines(notes: list[Mapping[str, Any]] | None) -> list[str]:
    if notes is None:
        return []
    dropped = sum(note["repeats"] is not None for note in notes)
    lines = [f"notes    {len(notes)} written, {len(notes) - dropped} kept, {dropped} dropped as duplicates"]
    for number, note in enumerate(notes, 1):
        repeats = note["repeats"]
        lines += [
            f"{number:>3} {'kept' if repeats is None else 'dropped':<7} {_shown(note['summary'])}",
            f"            {_shown(note['content'])}",
            *(() if repeats is None else (f"            {_why(repeats)}",)),
        ]
    return lines


def _why(repeats: Mapping[str, Any]) -> str:
    what = repeats["of"] if repeats["of"].startswith("note ") else f"the {repeats['of']}"
    return f"repeats {what} ({_how(repeats)}): {_shown(repeats['text'])}"


def _how(repeats: Mapping[str, Any]) -> str:
    cosine = repeats["cosine"]
    likeness = "" if cosine is None else f", cosine {cosine:.2f}"
    if repeats["decidedBy"] == DecidedBy.EQUAL_WORDS:
        return "equal words"
    if repeats["decidedBy"] == DecidedBy.MODEL:
        return f"so the model says{likeness}"
    return "nearly the same words" if cosine is None else f"by the calibration{likeness}"


def _quality_lines(quality: Mapping[str, Any] | None) -> list[str]:
    if quality is None:
        return []
    if quality["score"] is None:
        return ["quality  not measurable"]
    parts = ", ".join(f"{name} {part['score']:.0f}" for name, part in quality["parts"].items())
    lines = [f"quality  {quality['score']:.1f} of {quality['scored']} notes ({parts})"]
    return lines + [f"gap      {_shown(gap)}" for gap in quality["gaps"]]


def _cost_line(cost: Mapping[str, Any]) -> str:
    most = "" if cost["mostUSD"] is None else f" of at most {cost['mostUSD']:g}"
    tokens = f"{cost['tokensIn']:,} tokens in, {cost['tokensOut']:,} out"
    return (
        f"cost     {cost['usd']:.4f} USD{most}, {tokens}, {cost['requests']} requests, {cost['seconds']:g} s"
    )


def _shown(text: str) -> str:
    """Return foreign text on one line, without what a terminal would obey."""
    return shortened("".join(char if char.isprintable() else " " for char in text), SHOWN_CHARS)
