"""What a preview works on, what it may cost, and how its report reads."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from gather_contracts.instructions import Instructions
from gather_contracts.resource import Budget
from gather_contracts.run_document import RunDocument, encode_run_document
from gather_worker.cli.arguments import NO_PROJECT, parse_arguments
from gather_worker.cli.preview import COST_DEFAULT_USD, budget_of
from gather_worker.cli.preview_input import read_given_notes, read_preview_task
from gather_worker.cli.preview_report import table_of
from gather_worker.errors import InvalidInput
from gather_worker.main import execute_command

PROJECT = "66f1a2b3c4d5e6f708192a3b"


def arguments(*given: str) -> argparse.Namespace:
    """Return the arguments of a preview."""
    return parse_arguments(["preview", *given])


def written(folder: Path, value: Any) -> str:
    """Write a file and return its name."""
    path = folder / "given.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return str(path)


def test_a_department_of_a_run_is_named_by_its_slug(document: RunDocument, tmp_path: Path) -> None:
    """With its place among the others; a run of one needs no name."""
    file = written(tmp_path, encode_run_document(document))
    task = read_preview_task(arguments("--run-file", file, "--department", "sound"))
    assert (task.department.slug, task.previous) == ("sound", ["story"])
    only = document.model_copy(update={"departments": document.departments[:1]})
    file = written(tmp_path, encode_run_document(only))
    assert read_preview_task(arguments("--run-file", file)).department.slug == "story"


@pytest.mark.parametrize(
    "said",
    ["Name the page.", {"instructions": "Name the page."}, {"text": "Name the page."}],
    ids=["text", "as in the CMS", "as in run.json"],
)
def test_a_department_in_a_file_needs_no_run(said: Any, tmp_path: Path) -> None:
    """In the CMS's form or that of run.json, with its instructions."""
    key = "instructions" if isinstance(said, dict) and "text" in said else "gatherInstructions"
    file = written(tmp_path, {"slug": "sound", "defaultModel": "m/x", key: said})
    task = read_preview_task(arguments("--department-file", file))
    assert (task.department.name, task.department.model) == ("sound", "m/x")
    assert task.department.instructions == Instructions(text="Name the page.")
    assert task.document.spec.project_id == NO_PROJECT
    named = read_preview_task(arguments("--department-file", file, "--project", PROJECT))
    assert named.document.spec.project_id == PROJECT


@pytest.mark.parametrize(
    ("given", "project", "said"),
    [
        pytest.param({"slug": "Not A Slug"}, None, "slug", id="no slug"),
        pytest.param("{", None, "not JSON", id="no JSON"),
        pytest.param({"slug": "a"}, "film", "--project", id="no project's id"),
    ],
)  # fmt: skip
def test_a_wrong_department_is_refused_with_its_place(
    given: Any, project: str | None, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anything is asked."""
    named = ("--project", project) if project else ()
    code = execute_command(
        ["preview", "--department-file", written(tmp_path, given), *named, "--no-model", "--offline"]
    )
    shown = capsys.readouterr()
    assert (code, shown.out) == (64, "")
    assert said in shown.err


async def test_notes_of_a_file_are_read_in_the_forms_of_the_collection(tmp_path: Path) -> None:
    """Texts are people's; what is taken out of the film is left out."""
    notes = [
        "A text of a person.",
        {
            "_id": {"$oid": PROJECT},
            "content": "Ours.",
            "isAutomated": True,
            "createdAt": "2026-01-02T00:00:00Z",
            "automationMetadata": {"department": "story"},
        },
        {
            "content": {
                "root": {"children": [{"type": "paragraph", "children": [{"type": "text", "text": "Rich."}]}]}
            },
            "projectId": "of another export",
            "locked": True,
        },
        {"content": "Not canon.", "canon": False},
        {"content": ""},
    ]
    read = await read_given_notes(Path(written(tmp_path, notes)), PROJECT).read_notes()
    assert [(n.content, n.is_automated, n.department, n.is_locked) for n in read.notes] == [
        ("A text of a person.", False, "", False), ("Rich.", False, "", True), ("Ours.", True, "story", False)
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="item 2: not a note"):
        read_given_notes(Path(written(tmp_path, ["A text.", 7])), PROJECT)


@pytest.mark.parametrize(
    ("asked", "own", "expected"),
    [(None, None, COST_DEFAULT_USD), (None, 2.0, 2.0), (0.1, 2.0, 0.1), (0.0, None, 0.0), (None, 0.0, 0.0)],
)
def test_the_cap_is_the_argument_s_then_the_run_s_then_a_small_one(
    document: RunDocument, tmp_path: Path, asked: float | None, own: float | None, expected: float
) -> None:
    """A cap of 0 is a cap; tokens stay the run's."""
    spec = document.spec.model_copy(
        update={"budget": None if own is None else Budget(max_cost_usd=own, max_tokens=9)}
    )
    file = written(tmp_path, encode_run_document(document.model_copy(update={"spec": spec})))
    task = read_preview_task(arguments("--run-file", file, "--department", "story"))
    assert budget_of(task, asked) == Budget(max_cost_usd=expected, max_tokens=None if own is None else 9)


@pytest.mark.parametrize(
    ("slug", "said"),
    [
        ("archive", "archive is none of them; the run has story, sound"),
        (None, "is needed; the run has story, sound"),
    ],
)
def test_another_department_is_refused_with_those_that_there_are(
    document: RunDocument, tmp_path: Path, slug: str | None, said: str
) -> None:
    """A slug is easily mistyped."""
    named = ("--department", slug) if slug else ()
    with pytest.raises(InvalidInput, match=f"--department: {said}"):
        read_preview_task(arguments("--run-file", written(tmp_path, encode_run_document(document)), *named))


def test_too_little_money_is_said_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what helps."""
    for name, value in {
        "GATHER_LLM_BASE_URL": "http://127.0.0.1:9/v1",
        "GATHER_LLM_PRICE_INPUT_USD_PER_MILLION": "3",
        "GATHER_LLM_PRICE_OUTPUT_USD_PER_MILLION": "15",
        "GATHER_SECRETS_DIR": str(tmp_path / "none"),
    }.items():
        monkeypatch.setenv(name, value)
    file = written(tmp_path, {"slug": "sound"})
    assert execute_command(["preview", "--department-file", file, "--offline", "--max-cost", "0.001"]) == 64
    assert "0.001 USD covers no answer" in (shown := capsys.readouterr().err)
    assert "raise --max-cost, or give --no-model" in shown


def test_without_a_model_the_setting_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the way to see the prompt all the same."""
    for name in ("OPENROUTER_API_KEY", "GATHER_LLM_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GATHER_SECRETS_DIR", str(tmp_path / "none"))
    assert (
        execute_command(["preview", "--department-file", written(tmp_path, {"slug": "sound"}), "--offline"])
        == 64
    )
    assert "set OPENROUTER_API_KEY or GATHER_LLM_BASE_URL, or give --no-model" in capsys.readouterr().err


def dropped(text: str, of: str, cosine: float | None, by: str, content: str = "c") -> dict[str, Any]:
    """Return a note that would be dropped."""
    repeats = {"text": text, "of": of, "cosine": cosine, "decidedBy": by}
    return {"content": content, "summary": "s", "repeats": repeats}


READ = "31 notes of the project (MongoDB), with the brain"
REPORT: dict[str, Any] = {
    "department": "story", "model": "m/x",
    "prompt": {"version": "generate.v4", "tokens": 3120},
    "context": {"notesFrom": "MongoDB", "notes": 31, "brain": True, "instructions": True, "examples": 2},
    "notes": [
        {"content": "Mara burns the map.", "summary": "Fire.", "repeats": None},
        dropped("Old.", "saved note", 0.93, "rule", content="\x1b[31mred\r\nlines" + "x" * 500),
        dropped("New.", "note 1", 0.8, "model"),
        dropped("Ex.", "example", None, "equal words"),
    ],
    "quality": {
        "score": 71.2, "scored": 12, "parts": {"coverage": {"score": 60.4}}, "gaps": ["pacing: time it"],
    },
    "cost": {
        "usd": 0.0123, "mostUSD": 0.5, "tokensIn": 4321, "tokensOut": 900, "requests": 3, "seconds": 12.3,
    },
}  # fmt: skip


def test_the_table_says_what_became_of_each_note_and_why() -> None:
    """In lines of bounded length, and no text steers a terminal."""
    table = table_of(REPORT)
    assert table.splitlines() == [
        "story  m/x",
        f"prompt   generate.v4, 3,120 tokens, instructions, 2 examples, {READ}",
        "notes    4 written, 1 kept, 3 dropped as duplicates",
        "  1 kept    Fire.",
        "            Mara burns the map.",
        "  2 dropped s",
        f"            [31mred lines{'x' * 146}…",
        "            repeats the saved note (by the calibration, cosine 0.93): Old.",
        "  3 dropped s",
        "            c",
        "            repeats note 1 (so the model says, cosine 0.80): New.",
        "  4 dropped s",
        "            c",
        "            repeats the example (equal words): Ex.",
        "quality  71.2 of 12 notes (coverage 60)",
        "gap      pacing: time it",
        "cost     0.0123 USD of at most 0.5, 4,321 tokens in, 900 out, 3 requests, 12.3 s",
        "nothing was written",
    ]
    unasked = table_of({**REPORT, "notes": None, "quality": None})
    assert [line.split()[0] for line in unasked.splitlines()] == ["story", "prompt", "cost", "nothing"]
    assert "quality  not measurable\n" in table_of(
        {**REPORT, "quality": {**REPORT["quality"], "score": None}}
    )
