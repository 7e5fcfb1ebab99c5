"""The language model: endpoint, key, model, length, schema, price; nothing is paid unless that is wanted."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from pydantic import BaseModel

from gather_clients.bodies import BodyTooLong, read_body
from gather_worker.check.findings import Finding, Status, fail, fail_now, ok, skip, warn
from gather_worker.check.run_cost import PROMPT_LEAST_TOKENS, PROMPT_MOST_TOKENS
from gather_worker.errors import AnswerInvalid, InvalidInput, ModelError
from gather_worker.llm.access.model_client import Access, new_client
from gather_worker.llm.access.troubles import trouble_of
from gather_worker.llm.asking.faults import fault_of
from gather_worker.llm.chat_completion import parse_body, read_completion
from gather_worker.llm.endpoint import PRICE_LIST_MAX_BYTES, Endpoint
from gather_worker.llm.failures import said
from gather_worker.llm.model_names import is_listed, models_of, nearest
from gather_worker.llm.preferences import ModelPreferences
from gather_worker.llm.pricing import Price, list_paths, read_price
from gather_worker.llm.request_form import first_form, other_form
from gather_worker.llm.salvage import read_answer
from gather_worker.prompt_files import CHECK, words
from gather_worker.schemas import json_schema

NAME: Final = "Model endpoint"
KEY: Final = "Model key"
TIMEOUT_S: Final = 8.0
ASK_S: Final = 60.0
ASK_FORMS_MAX: Final = 6
"""Requests that are refused for their form cost nothing."""
ASK_TOKENS: Final = 1024
"""A model that thinks before it answers needs them; others use twenty."""
NAMED_IN: Final = ": in the CMS (defaultModel), as the operator's default or in GATHER_JUDGE_MODEL"
"""Where models are named that a run cannot do without."""
SCHEMA_PARAMETERS: Final = frozenset({"structured_outputs", "response_format"})
CONTEXT_KEYS: Final = ("context_length", "max_model_len", "max_context_length", "context_window")
"""OpenRouter's and most others', vLLM's, LM Studio's, Groq's."""
REFUSED: Final = frozenset({401, 403})
NO_LIST: Final = frozenset({404, 405, 501})


class _Reply(BaseModel):
    """What the tiny request asks for."""

    works: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the endpoint."""

    status: int = 0
    body: Any = None
    is_json: bool = False
    problem: str = ""
    """Why there is none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking a model once."""

    problem: str = ""
    form: str = ""
    """In which form it was asked, where that was not the first one."""


@dataclass(slots=True)
class ModelFacts:
    """What the endpoint said."""

    url: str = ""
    is_openrouter: bool = False
    has_key: bool = False
    malformed: str = ""
    models: Reply = field(default_factory=Reply)
    key: Reply | None = None
    """What OpenRouter says of the key; its list of models needs none."""
    prices: dict[str, Price | None] = field(default_factory=dict)
    asked: dict[str, Asked] = field(default_factory=dict)


async def gather_model_facts(
    base_url: str,
    access: Access,
    models: Sequence[str],
    *,
    is_asked: bool,
    preferences: ModelPreferences | None = None,
) -> ModelFacts:
    """Return what the endpoint says; `is_asked` sends each model one tiny request, which may cost."""
    facts = ModelFacts(has_key=bool(access.headers))
    try:
        client = new_client(base_url, access=access)
    except InvalidInput as error:
        facts.malformed = str(error).removeprefix("settings: ")
        return facts
    facts.url = str(client.base_url).rstrip("/")  # without a password, and without a key among parameters
    async with client:
        endpoint = Endpoint(client, ASK_S)
        facts.is_openrouter = endpoint.is_openrouter
        facts.models = await _get(client, "/models")
        if facts.models.problem:
            return facts
        if facts.is_openrouter:
            facts.key = await _get(client, "/key")
        for model in models:
            facts.prices[model] = await _price(client, facts, model)
        if is_asked:
            said = await asyncio.gather(*(_ask(endpoint, model, preferences) for model in models))
            facts.asked = dict(zip(models, said, strict=True))
    return facts


async def _get(client: httpx.AsyncClient, path: str) -> Reply:
    try:
        async with asyncio.timeout(TIMEOUT_S), client.stream("GET", path, timeout=TIMEOUT_S) as response:
            content = await read_body(response, PRICE_LIST_MAX_BYTES)
    except (httpx.HTTPError, httpx.StreamError, TimeoutError, BodyTooLong) as error:
        return Reply(problem=trouble_of(error, TIMEOUT_S))
    try:
        return Reply(response.status_code, parse_body(content), is_json=True)
    except ModelError:
        return Reply(response.status_code)


async def _price(client: httpx.AsyncClient, facts: ModelFacts, model: str) -> Price | None:
    for path in list_paths(model, is_openrouter=facts.is_openrouter):
        reply = facts.models if path == "/models" else await _get(client, path)
        if price := read_price(reply.body, model):
            return price
    return None


async def _ask(endpoint: Endpoint, model: str, preferences: ModelPreferences | None) -> Asked:
    """Ask a model once, and in further forms while the endpoint refuses the first ones."""
    schema = {"name": "reply", "strict": True, "schema": json_schema(_Reply)}
    messages = [{"role": "user", "content": words(CHECK, "user")}]
    form = first_form(is_openrouter=endpoint.is_openrouter, preferences=preferences)
    for _ in range(ASK_FORMS_MAX):
        try:
            body = await endpoint.complete(form.body(model, messages, schema, ASK_TOKENS), ASK_S)
            read_answer(read_completion(body), _Reply)
        except AnswerInvalid as error:
            return Asked(f"the answer does not follow the JSON schema: {error}")
        except ModelError as error:
            other = other_form(form, error.refusal, ASK_TOKENS) if error.refusal else None
            if other is None:
                refusal = error.refusal
                return Asked(said(model, refusal, fault_of(refusal)) if refusal else str(error))
            form = other
        else:
            return Asked(form=form.learned())
    return Asked("the endpoint takes no form of the request")


def model_findings(
    facts: ModelFacts,
    models: Sequence[str],
    max_tokens: int,
    *,
    has_own_price: bool,
    is_capped: bool,
    fallbacks: Collection[str] = (),
) -> list[Finding]:
    """Return what the facts mean.

    `is_capped` is whether the run has a cap on money; runs go on without `fallbacks`.
    """
    if problem := _endpoint_problem(facts):
        return [problem]
    found = [ok(NAME, f"reached at {facts.url}"), *_key_findings(facts)]
    listed = _listed(facts.models)
    if not models:
        found.append(skip("Model", "no model named: --run-file or --model looks at one"))
    for model in models:
        of_model = _of_model(facts, model, listed, max_tokens)
        found += map(_as_fallback, of_model) if model in fallbacks else of_model
        if not has_own_price and facts.prices.get(model) is None:
            found.append(_no_price(model, is_capped=is_capped))
    return found


def _as_fallback(finding: Finding) -> Finding:
    if finding.status is not Status.FAIL:
        return finding
    fix = finding.fix.replace(NAMED_IN, ", in GATHER_LLM_FALLBACK_MODEL")
    return warn(finding.name, f"{finding.text}: it cannot stand in for another", fix)


def _endpoint_problem(facts: ModelFacts) -> Finding | None:
    reply = facts.models
    if facts.malformed:
        return fail(NAME, facts.malformed, "mend what it names")
    if reply.problem:
        fix = "mend GATHER_LLM_BASE_URL, or GATHER_LLM_PROXY; see that a network policy lets workers out"
        return fail_now(NAME, f"{facts.url} cannot be reached: {reply.problem}", fix)
    if reply.status in REFUSED:
        return _refused(reply.status)
    if reply.status >= 500 or reply.status == 429:  # noqa: PLR2004
        return fail_now(NAME, f"{facts.url} answers {reply.status}", "check again later")
    return _address_problem(facts.url, reply)


def _address_problem(url: str, reply: Reply) -> Finding | None:
    if 300 <= reply.status < 400:  # noqa: PLR2004
        text = f"{url} answers {reply.status}, a redirect, which is not followed"
        return fail(NAME, text, "GATHER_LLM_BASE_URL must name where it leads")
    if not reply.is_json and reply.status not in NO_LIST:
        fix = (
            "GATHER_LLM_BASE_URL must be the API's address, which ends with its version, such as "
            "https://openrouter.ai/api/v1"
        )
        return fail(NAME, f"{url}/models answers {reply.status} with a page instead of JSON", fix)
    return None


def _refused(status: int) -> Finding:
    return fail(KEY, f"the endpoint refuses the key ({status})", "mend OPENROUTER_API_KEY")


def _key_findings(facts: ModelFacts) -> list[Finding]:
    reply = facts.key
    if reply is None:
        said = (
            "accepted" if facts.models.status == httpx.codes.OK else "not tried: the endpoint lists no models"
        )
        return [ok(KEY, said if facts.has_key else f"none is set; {said}")]
    if not facts.has_key or reply.status in REFUSED:
        return [_refused(reply.status)]
    data = reply.body.get("data") if isinstance(reply.body, Mapping) else None
    left = data.get("limit_remaining") if isinstance(data, Mapping) else None
    if isinstance(left, int | float) and left <= 0:
        return [fail(KEY, "the key's credit is used up", "raise its limit at OpenRouter")]
    return [ok(KEY, "accepted" if reply.status == httpx.codes.OK else f"not told ({reply.status})")]


def _listed(reply: Reply) -> dict[str, Mapping[str, Any]] | None:
    """Return the models of a list by name, None where there is no list."""
    return models_of(reply.body) if reply.status == httpx.codes.OK else None


def _of_model(
    facts: ModelFacts, model: str, listed: Mapping[str, Mapping[str, Any]] | None, max_tokens: int
) -> list[Finding]:
    name = f"Model {model}"
    asked = facts.asked.get(model, Asked())
    if asked.problem:
        return [fail(name, f"asked once: {asked.problem}", "name a model that answers by JSON schema, in "
                     "the CMS (defaultModel) or GATHER_DEFAULT_MODEL")]  # fmt: skip
    was_asked = model in facts.asked
    if listed is None:
        if was_asked:
            return [_answered(name, asked)]
        return [
            warn(
                name,
                "the endpoint lists no models: whether it exists is not known",
                "--ask-model asks it once",
            )
        ]
    if not is_listed(model, listed) and not was_asked:
        near = nearest(model, listed)
        fix = f"name one that it has, such as {', '.join(near) or 'none'}{NAMED_IN}"
        return [fail(name, "the endpoint has no such model", fix)]
    entry = listed.get(model, {})
    found = _length_findings(name, entry, max_tokens)
    parameters = entry.get("supported_parameters")
    if was_asked:
        found.append(_answered(name, asked))
    elif not isinstance(parameters, list):
        found.append(ok(name, "exists; whether it takes a JSON schema is not told, --ask-model asks it once"))
    elif not SCHEMA_PARAMETERS & set(map(str, parameters)):
        found.append(fail(name, "it takes no JSON schema", "name a model that supports structured_outputs"))
    else:
        found.append(ok(name, "exists, and takes a JSON schema"))
    return found


def _answered(name: str, asked: Asked) -> Finding:
    if not asked.form:
        return ok(name, "asked once, and it answered by JSON schema")
    return ok(name, f"asked once, and it answered in another form than the first: {asked.form}")


def _length_findings(name: str, entry: Mapping[str, Any], max_tokens: int) -> list[Finding]:
    top = entry.get("top_provider")
    top = top if isinstance(top, Mapping) else {}
    context = next((n for key in CONTEXT_KEYS if (n := _count(entry.get(key)))), None)
    longest = _count(top.get("max_completion_tokens"))
    fix = "lower GATHER_LLM_MAX_TOKENS, or name a model with a larger window"
    if context and context < max_tokens + PROMPT_LEAST_TOKENS:
        text = f"its window of {context:,} tokens has no room for a prompt and answers of {max_tokens:,}"
        return [fail(name, text, fix)]
    if context and context < max_tokens + PROMPT_MOST_TOKENS:
        return [warn(name, f"its window of {context:,} tokens is too small for the longest prompt "
                     f"({PROMPT_MOST_TOKENS:,}) and answer ({max_tokens:,})", fix)]  # fmt: skip
    if longest and longest < max_tokens:
        return [warn(name, f"its answers have at most {longest:,} tokens, fewer than GATHER_LLM_MAX_TOKENS "
                     f"({max_tokens:,})", f"set GATHER_LLM_MAX_TOKENS to {longest}")]  # fmt: skip
    return []


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _no_price(model: str, *, is_capped: bool) -> Finding:
    meaning = (
        "the budget reckons with 5 and 25 USD a million until an answer tells"
        if is_capped
        else "what a run costs is not known"
    )
    fix = (
        "set GATHER_LLM_PRICE_INPUT_USD_PER_MILLION and GATHER_LLM_PRICE_OUTPUT_USD_PER_MILLION (0 for a "
        "model of your own)"
    )
    return warn("Price", f"{model}: the endpoint names none; {meaning}", fix)
