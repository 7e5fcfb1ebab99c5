"""The demo model understands the worker's real prompts and schemas, without knowing them."""

from collections.abc import Sequence
from typing import Any, TypeVar

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel

from gather_clients.notes.note import Note
from gather_clients.notes.note_reading import note_of
from gather_contracts.departments import CmsDepartment, ResolvedDepartment, resolve_department
from gather_demo.cms.cms_api import shipped_departments
from gather_demo.languages import Language
from gather_demo.llm.chat_api import build_app
from gather_demo.llm.material import read_material
from gather_demo.llm.prompt_facts import read_facts
from gather_demo.llm.text_measures import words
from gather_demo.seed.project import read_project
from gather_worker.department.evidence import heard
from gather_worker.duplicates.candidates import Pair
from gather_worker.prompts import Prompt
from gather_worker.prompts.builders import generate_prompt, judge_prompt
from gather_worker.prompts.pair_prompt import duplicates_prompt
from gather_worker.prompts.truncation import Excerpt
from gather_worker.schemas import DraftBatch, PairVerdicts, QualityVerdict, json_schema

AnswerT = TypeVar("AnswerT", bound=BaseModel)

TITLES = {Language.EN: "The Salt Road", Language.DE: "Die Salzstraße"}
DEPARTMENTS = [
    (language, resolve_department(CmsDepartment.model_validate(d), 80))
    for language in Language
    for d in shipped_departments(language)
    if d["gatherCheck"] and d["isActive"]
]
EACH = pytest.mark.parametrize(
    ("language", "department"), DEPARTMENTS, ids=[f"{language}-{d.slug}" for language, d in DEPARTMENTS]
)


def by_hand(language: Language) -> list[Note]:
    """Return the example project's notes."""
    film = read_project(language)
    return [note for item in film.items() if isinstance(note := note_of(item, film.project_id), Note)]


@pytest.fixture
def llm(language: Language) -> TestClient:
    return TestClient(build_app(read_material(language), repeat_share=0))


def ask(llm: TestClient, prompt: Prompt, wanted: type[AnswerT], **more: Any) -> AnswerT:
    schema = {"name": wanted.__name__, "schema": json_schema(wanted), "strict": True}
    body = {
        "model": "openai/gpt-4o-mini",
        "messages": prompt.messages(),
        "response_format": {"type": "json_schema", "json_schema": schema},
        **more,
    }
    answer = llm.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return wanted.model_validate_json(answer.json()["choices"][0]["message"]["content"])


def automated(department: ResolvedDepartment, contents: Sequence[str]) -> list[Note]:
    """Return texts as items that a run wrote."""
    return [
        Note(
            id=f"{number:04}", content=content, project_id=read_project().project_id,
            department=department.slug, is_automated=True,
        )
        for number, content in enumerate(contents)
    ]  # fmt: skip


def generation(
    language: Language,
    department: ResolvedDepartment,
    own: Sequence[str] = (),
    gaps: Sequence[str] = (),
    *,
    focus: bool = False,
) -> Prompt:
    earlier = {
        "story": [Excerpt("Every house on the causeway settles a debt before it lets the sisters through.")]
    }
    items = [*by_hand(language), *automated(department, own)]
    related = [Excerpt("The ferryman counts the sisters twice before the tide turns.")]
    wish = "What Ilse owes to the house, and to whom she pays it" if focus else ""
    return generate_prompt(
        department, items, earlier, gaps, focus_on_gaps=focus, related=related, focus=wish, language=language
    )


@EACH
def test_it_reads_the_prompt_s_facts(language: Language, department: ResolvedDepartment) -> None:
    """Title from the film's notes, department from its name, gaps from their list, notes from theirs."""
    aspects = tuple(read_material(language).departments[department.slug].aspects)
    own = "An existing note about it. " * 10
    prompt = generation(
        language, department, [own], [aspects[2].title(), f"{aspects[4]}: say more"], focus=True
    )
    facts = read_facts(prompt.messages(), read_material(language))
    assert facts.title == TITLES[language]
    assert facts.department == department.slug
    assert facts.gaps == (aspects[2], aspects[4])
    assert set(facts.names) == {"Marta", "Ilse"}
    assert own.strip() in facts.known_texts


@EACH
def test_it_writes_two_rounds_and_grades_them(
    llm: TestClient, language: Language, department: ResolvedDepartment
) -> None:
    """The second round adds to the first; the grades are of notes, and good ones."""
    first = [d.content for d in ask(llm, generation(language, department), DraftBatch).items]
    second = [d.content for d in ask(llm, generation(language, department, first), DraftBatch).items]
    assert not set(first) & set(second)
    assert all(40 <= len(words(note)) <= 110 for note in first + second)
    prompt = judge_prompt(department, automated(department, first + second))
    grades = ask(llm, prompt, QualityVerdict)
    assert heard(grades, prompt.quotable).unquoted == ()
    assert grades.depth > 50
    assert grades.coherence > 50
    assert grades.actionability > 20


@pytest.mark.parametrize("language", list(Language))
def test_it_judges_the_worker_s_pairs(llm: TestClient, language: Language) -> None:
    """By number, a copy as one and another note as none."""
    department = next(d for spoken, d in DEPARTMENTS if spoken is language)
    one, other = (d.content for d in ask(llm, generation(language, department), DraftBatch).items[:2])
    texts = [(one, other), (one, f"{one} Ende."), (other, one)]
    prompt = duplicates_prompt([Pair(slot, new, old) for slot, (old, new) in enumerate(texts)])
    verdicts = ask(llm, prompt, PairVerdicts).verdicts
    assert [(v.pair, v.duplicate) for v in verdicts] == [(0, False), (1, True), (2, False)]
