"""The demo model obeys schemas, varies, repeats itself measurably, and misbehaves on request."""

import json
from typing import Any

import jsonschema
import pytest
from fastapi.testclient import TestClient

from gather_demo.cms.cms_api import shipped_departments
from gather_demo.languages import Language
from gather_demo.llm.chat_api import build_app
from gather_demo.llm.judge import DUPLICATE_LIKENESS, score
from gather_demo.llm.material import read_material
from gather_demo.llm.text_measures import likeness, words

NOTES_SCHEMA = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "minItems": 5,
            "maxItems": 10,
            "items": {"$ref": "#/$defs/Item"},
        }
    },
    "required": ["items"],
    "additionalProperties": False,
    "$defs": {
        "Item": {
            "type": "object",
            "properties": {
                "content": {"type": "string", "minLength": 1, "maxLength": 8000},
                "summary": {"type": "string", "maxLength": 120},
                "context": {"type": "string", "maxLength": 300},
            },
            "required": ["content", "summary", "context"],
            "additionalProperties": False,
        }
    },
}
VERDICTS_SCHEMA = {
    "type": "object",
    "properties": {
        "verdicts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "pair": {"type": "integer"},
                    "duplicate": {"type": "boolean"},
                    "reason": {"type": "string", "maxLength": 200},
                },
                "required": ["pair", "duplicate", "reason"],
            },
        }
    },
    "required": ["verdicts"],
}
RUBRIC_SCHEMA = {
    "type": "object",
    "properties": {
        name: {"type": "number", "minimum": 0, "maximum": 100}
        for name in ("depth", "coherence", "actionability")
    },
    "required": ["depth", "coherence", "actionability"],
}
SPOKEN = {
    language: [d for d in shipped_departments(language) if d["gatherCheck"] and d["isActive"]]
    for language in Language
}
DEPARTMENTS = SPOKEN[Language.EN]
EACH_LANGUAGE = pytest.mark.parametrize("language", list(Language))


def speaking(language: Language, repeat_share: float = 0.1) -> TestClient:
    return TestClient(build_app(read_material(language), repeat_share=repeat_share))


@pytest.fixture
def llm() -> TestClient:
    return speaking(Language.EN)


def ask(llm: TestClient, prompt: str, schema: dict[str, Any] | None = None, **body: Any) -> Any:
    """Return the raw answer to a prompt."""
    if schema:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    messages = [{"role": "system", "content": "You help a film."}, {"role": "user", "content": prompt}]
    headers = body.pop("headers", {})
    request = {"model": "openai/gpt-4o-mini", "messages": messages, **body}
    return llm.post("/v1/chat/completions", json=request, headers=headers)


def content(answer: Any) -> Any:
    """Return the parsed content of a right answer."""
    assert answer.status_code == 200, answer.text
    return json.loads(answer.json()["choices"][0]["message"]["content"])


def prompt_for(department: dict[str, Any] | Any, *more: str) -> str:
    head = (
        f"Title: The Lantern Tax\nDepartment: {department['name']}\nDescription: {department['description']}",
        "In the story Odile keeps the lamps of Brava harbour while Teodor counts the coins.",
        "By night Teodor asks Odile for oil. Themes: Final Mix, Framing, and the Mix of Framing.",
    )
    return "\n".join((*head, *more))


def notes(llm: TestClient, department: Any, *more: str, seed: int = 1) -> list[str]:
    answer = content(ask(llm, prompt_for(department, *more), NOTES_SCHEMA, seed=seed))
    return [item["content"] for item in answer["items"]]


def distinct(department: Any) -> list[str]:
    """Return notes of a model that never repeats itself."""
    return notes(speaking(Language.EN, repeat_share=0), department)


@pytest.mark.parametrize("slug", [str(d["slug"]) for d in DEPARTMENTS])
@EACH_LANGUAGE
def test_notes_obey_the_schema_and_are_of_the_department(language: Language, slug: str) -> None:
    """5 to 10 notes of 40 to 110 words; each names or treats an aspect of the department."""
    department = next(d for d in SPOKEN[language] if d["slug"] == slug)
    answer = content(ask(speaking(language), prompt_for(department), NOTES_SCHEMA))
    jsonschema.validate(answer, NOTES_SCHEMA)
    material = read_material(language)
    own = material.departments[slug].aspects
    for item in answer["items"]:
        assert 30 <= len(words(item["content"])) <= 115
        assert (
            any(aspect in item["context"] or not item["context"] for aspect in own)
            or item["context"] == material.repeat_context
        )


@EACH_LANGUAGE
def test_the_material_covers_the_demo_departments_aspects(language: Language) -> None:
    """What the CMS says of a department is what the model can write about."""
    for department in SPOKEN[language]:
        own = read_material(language).departments[department["slug"]]
        assert all(aspect in department["description"] for aspect in own.aspects)


def test_languages_have_the_same_material() -> None:
    """As many aspects, decisions, ways and next steps, so that a demo is as long in each."""

    def counts(language: Language) -> dict[str, Any]:
        material = read_material(language)
        return {
            slug: (sorted((len(a.what), len(a.how)) for a in d.aspects.values()), len(d.next))
            for slug, d in material.departments.items()
        }

    assert counts(Language.DE) == counts(Language.EN)


def test_a_department_it_does_not_know_is_written_from_the_prompt(llm: TestClient) -> None:
    """Any project, any department."""
    puppets = {
        "name": "Puppetry Department",
        "description": "Puppetry Department handles joints, wires, and fur",
    }
    text = " ".join(notes(llm, puppets)).lower()
    assert all(aspect in text for aspect in ("joints", "wires", "fur"))
    assert "the lantern tax" in text or "odile" in text or "teodor" in text


def test_equal_requests_get_equal_answers_and_others_do_not(llm: TestClient) -> None:
    """Deterministic, given the request and its seed."""
    assert notes(llm, DEPARTMENTS[0], seed=7) == notes(llm, DEPARTMENTS[0], seed=7)
    assert notes(llm, DEPARTMENTS[0], seed=7) != notes(llm, DEPARTMENTS[0], seed=8)


def test_gaps_named_in_the_prompt_come_first(llm: TestClient) -> None:
    """As a model would follow an instruction."""
    story = next(d for d in DEPARTMENTS if d["slug"] == "story")
    answer = content(
        ask(llm, prompt_for(story, "Gaps so far:", "- pacing", "- dialogue style"), NOTES_SCHEMA)
    )
    assert {"pacing", "dialogue style"} & {
        aspect for aspect in ("pacing", "dialogue style") if aspect in answer["items"][0]["context"]
    }


@EACH_LANGUAGE
def test_it_avoids_what_the_prompt_already_has(language: Language) -> None:
    """In a second round, while the material lasts, new notes share few words with the old ones."""
    llm = speaking(language, repeat_share=0)
    known: list[str] = []
    for _ in range(2):
        fresh = notes(llm, SPOKEN[language][0], "Existing notes:", *[f"- {n}" for n in known])
        assert max((likeness(a, b) for a in fresh for b in known), default=0) < DUPLICATE_LIKENESS
        known += fresh


@EACH_LANGUAGE
def test_it_repeats_itself_now_and_then(language: Language) -> None:
    """Over all departments and 20 seeds, between 5 and 20 % of the notes have a twin in their own answer."""
    llm = speaking(language)
    batches = [notes(llm, d, seed=s) for d in SPOKEN[language] for s in range(20)]
    twins = sum(
        any(likeness(note, other) >= DUPLICATE_LIKENESS for other in batch[:i])
        for batch in batches
        for i, note in enumerate(batch)
    )
    exact = sum(len(batch) - len(set(batch)) for batch in batches)
    total = sum(len(batch) for batch in batches)
    assert 0.05 <= twins / total <= 0.20
    assert 0 < exact < twins


def test_duplicates_are_judged_from_the_texts(llm: TestClient) -> None:
    """A copy with small changes is one, another note of the same department is none."""
    one, other = distinct(DEPARTMENTS[0])[:2]
    pairs = [
        {"pair": 4, "first": one, "second": one.replace("scene", "sequence")},
        {"pair": 9, "first": one, "second": other},
    ]
    answer = content(ask(llm, f"Same or not?\n{json.dumps(pairs)}", VERDICTS_SCHEMA))
    jsonschema.validate(answer, VERDICTS_SCHEMA)
    assert [(v["pair"], v["duplicate"]) for v in answer["verdicts"]] == [(4, True), (9, False)]


@pytest.mark.parametrize(
    "form",
    [
        pytest.param("Text A: {one}\nText B: {other}", id="labels"),
        pytest.param("<a>{one}</a>\n<b>{other}</b>", id="tags"),
        pytest.param('Compare "{one}" with "{other}".', id="quotes"),
        pytest.param("Same?\n\n{one}\n\n{other}", id="paragraphs"),
    ],
)
@pytest.mark.parametrize("same", [True, False])
def test_a_single_pair_is_found_in_any_usual_form(llm: TestClient, form: str, same: bool) -> None:
    """The server knows no particular prompt."""
    schema = {"type": "object", "properties": {"is_duplicate": {"type": "boolean"}}}
    character = next(d for d in DEPARTMENTS if d["slug"] == "character")
    one, other = distinct(character)[:2]
    prompt = form.format(one=one, other=one if same else other)
    assert content(ask(llm, prompt, schema)) == {"is_duplicate": same}


def test_scores_are_computed_from_the_texts(llm: TestClient) -> None:
    """Full notes score higher than thin ones in depth and actionability."""
    full = notes(llm, DEPARTMENTS[2])
    thin = ["The sets should be nice and fit the film somehow."] * 5
    scores = [
        content(ask(llm, "Score:\n" + "\n".join(f"Item {i}: {n}" for i, n in enumerate(n)), RUBRIC_SCHEMA))
        for n in (full, thin)
    ]
    jsonschema.validate(scores[0], RUBRIC_SCHEMA)
    assert scores[0]["depth"] > scores[1]["depth"] + 30
    assert scores[0]["actionability"] > scores[1]["actionability"]


def test_a_duplicate_raises_no_score(llm: TestClient) -> None:
    """The law that holds for the whole of Gather's quality holds for its demo."""
    base = notes(llm, DEPARTMENTS[3])
    before, after = score(base, ("lens choice",)), score([*base, base[0]], ("lens choice",))
    assert after.depth <= before.depth + 1e-9
    assert after.coherence <= before.coherence + 1e-9
    assert after.coverage == before.coverage


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"answer": {"enum": ["yes", "no"]}}},
        {"type": "object", "properties": {"n": {"type": "integer", "minimum": 3, "maximum": 4}}},
        {"type": "object", "properties": {"x": {"anyOf": [{"type": "string"}, {"type": "null"}]}}},
        {
            "type": "object",
            "properties": {"tags": {"type": "array", "items": {"type": "string"}, "minItems": 2}},
        },
        {"type": "object", "properties": {"deep": {"type": "object", "properties": {"c": {"const": 1}}}}},
        {"type": "array", "items": {"type": "object", "properties": {"content": {"type": "string"}}}},
    ],
)
def test_any_schema_is_obeyed(llm: TestClient, schema: dict[str, Any]) -> None:
    """Shapes that no prompt of ours has."""
    jsonschema.validate(content(ask(llm, "Department: Story Department", schema)), schema)


def test_a_schema_that_leads_nowhere_is_refused(llm: TestClient) -> None:
    """400, as a server that constrains its output does."""
    assert ask(llm, "x", {"type": "object", "properties": {"a": {"$ref": "#/nope"}}}).status_code == 400


def test_without_a_schema_it_answers_in_plain_text(llm: TestClient) -> None:
    """A list of notes."""
    answer = ask(llm, prompt_for(DEPARTMENTS[0])).json()
    assert answer["choices"][0]["message"]["content"].startswith("- ")


def test_a_client_that_gives_the_schema_up_still_gets_its_form(llm: TestClient) -> None:
    """As one does that has met two faults; other instructions get plain text."""
    asked = {"json_schema": {"name": "n", "schema": NOTES_SCHEMA}, "type": "json_schema"}
    rules, other = ({"role": "system", "content": text} for text in ("You write notes.", "You are a parrot."))
    user = {"role": "user", "content": "Write for the sound department."}

    def answer(first: dict[str, str], **form: Any) -> str:
        body = {"model": "a/b", "messages": [first, user], **form}
        return str(llm.post("/v1/chat/completions", json=body).json()["choices"][0]["message"]["content"])

    answer(rules, response_format=asked)
    for form in ({"response_format": {"type": "json_object"}}, {}):
        jsonschema.validate(json.loads(answer(rules, **form)), NOTES_SCHEMA)
        assert not answer(other, **form).startswith("{")


def test_usage_counts_tokens_and_cost(llm: TestClient) -> None:
    """Four characters a token, by the demo's price list; totals add up."""
    usages = [ask(llm, "Department: Story Department", NOTES_SCHEMA, seed=s).json()["usage"] for s in (1, 2)]
    for usage in usages:
        assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0
        assert usage["cost"] == pytest.approx(
            usage["prompt_tokens"] * 3e-6 + usage["completion_tokens"] * 15e-6
        )
    assert llm.get("/demo/usage").json()["usage"]["total_tokens"] == sum(u["total_tokens"] for u in usages)


@pytest.mark.parametrize(
    ("fault", "looks_like"),
    [
        ("rate_limit", lambda a: a.status_code == 429 and a.headers["retry-after"] == "7"),
        ("server_error", lambda a: a.status_code == 502),
        ("error_in_200", lambda a: a.status_code == 200 and a.json()["error"]["code"] == 502),
        ("choices_null", lambda a: a.status_code == 200 and a.json()["choices"] is None),
        ("finish_error", lambda a: a.json()["choices"][0]["finish_reason"] == "error"),
        ("half_answer", lambda a: a.json()["choices"][0]["finish_reason"] == "length"),
        ("broken_json", lambda a: a.json()["choices"][0]["message"]["content"].startswith("Here")),
        ("wrong_schema", lambda a: content(a) == {"unasked": True}),
    ],
)
def test_each_fault_comes_as_often_as_ordered(llm: TestClient, fault: str, looks_like: Any) -> None:
    """Twice wrong, then right again."""
    order = {"fault": fault, "count": 2, "retry_after_s": 7, "status": 502}
    llm.post("/demo/behaviour", json=order).raise_for_status()
    answers = [ask(llm, "Department: Story Department", NOTES_SCHEMA) for _ in range(3)]
    assert [looks_like(a) for a in answers[:2]] == [True, True]
    jsonschema.validate(content(answers[2]), NOTES_SCHEMA)
    assert llm.get("/demo/usage").json()["faults"] == 2


def test_a_header_spoils_one_answer_alone(llm: TestClient) -> None:
    """For a client under test that can set headers."""
    assert ask(llm, "x", headers={"X-Demo-Fault": "rate_limit"}).status_code == 429
    assert ask(llm, "x").status_code == 200
    assert ask(llm, "x", headers={"X-Demo-Fault": "no-such"}).status_code == 422


def test_the_delay_is_a_setting_that_can_be_changed_and_restored() -> None:
    """POST sets it, DELETE brings the setting back."""
    llm = TestClient(build_app(read_material(), delay_s=0.25))
    assert llm.post("/demo/behaviour", json={"delay_s": 2}).json()["delay_s"] == 2
    assert llm.delete("/demo/behaviour").json() == {"delay_s": 0.25, "faults": []}


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"model": "nonsense"}, "not a valid model ID"),
        ({"stream": True}, "does not stream"),
    ],
)
def test_what_no_model_serves_is_refused(llm: TestClient, body: dict[str, Any], named: str) -> None:
    """400 with a message, so that a client can tell it from a fault that passes."""
    answer = ask(llm, "x", **body)
    assert answer.status_code == 400
    assert named in answer.json()["error"]["message"]


def test_models_are_listed(llm: TestClient) -> None:
    """Those that the demo CMS names."""
    listed = {model["id"] for model in llm.get("/v1/models").json()["data"]}
    assert {d["defaultModel"] for d in DEPARTMENTS if d["defaultModel"]} <= listed
