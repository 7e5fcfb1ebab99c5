"""Whether an endpoint has a model: what its list says, and what it answers where the list is silent."""

from collections.abc import Callable, Sequence

import httpx
import pytest

from gather_contracts.resource import Budget
from gather_worker.llm.budget import BudgetGuard
from gather_worker.llm.model_names import PROBE_TOKENS, is_listed, models_of, nearest
from gather_worker.llm.pricing import Price
from tests.support.scripted_model import Reply, ScriptedModel, reply, scripted_gateway

NewModel = Callable[..., ScriptedModel]
LISTED = ("openai/gpt-5-mini", "openai/gpt-5", "llama3:latest", "models/gemini-2.5-pro")


def listing(*names: str) -> httpx.Response:
    """Return a list of models."""
    return httpx.Response(200, json={"object": "list", "data": [{"id": name} for name in names]})


@pytest.mark.parametrize(
    "model", ["openai/gpt-5", "openai/gpt-5:nitro", "llama3", "llama3:latest", "gemini-2.5-pro"]
)
def test_a_name_is_found_however_the_list_writes_it(model: str) -> None:
    """Ollama's and Google's lists have more of it than the request, OpenRouter's less."""
    assert is_listed(model, LISTED)


@pytest.mark.parametrize("model", ["openai/gpt-55", "gpt-5", "llama", "", "gemini-2.5-pro:free"])
def test_another_name_is_not_found(model: str) -> None:
    """Not by its beginning or end."""
    assert not is_listed(model, LISTED)


def test_the_nearest_names_are_named() -> None:
    """By likeness, whatever the case; where nothing is like it, the first of the list."""
    assert nearest("OpenAI/gpt5-mini", LISTED)[0] == "openai/gpt-5-mini"
    assert nearest("zzz", ("b", "a", "c", "d")) == ("a", "b", "c")
    assert nearest("zzz", ()) == ()


@pytest.mark.parametrize("body", [None, [], {}, {"data": None}, {"data": {"id": "x"}}, "page"])
def test_what_is_no_list_is_none(body: object) -> None:
    """Nothing follows from it."""
    assert models_of(body) is None


def test_entries_that_are_no_models_are_passed_over() -> None:
    """Whatever an endpoint puts there."""
    assert models_of({"data": [None, "x", {"id": 3}, {"id": "m", "x": 1}]}) == {"m": {"id": "m", "x": 1}}


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ([listing("m/x", "m/y")], None),
        ([httpx.Response(404)], None),
        ([httpx.ConnectError("no")], None),
        ([listing()], None),
        ([listing("m/a", "m/judge"), reply(status=404)], "the endpoint has no model m/x; near are m/a"),
        ([listing("m/a"), reply(status=401)], None),
        ([listing("m/a"), reply(status=400)], None),
        ([listing("m/a"), httpx.ConnectError("no")], None),
        ([listing("m/a"), reply("1")], None),
    ],
    ids=["listed", "no list", "no endpoint", "empty", "refused", "key", "form", "gone", "unlisted"],
)  # fmt: skip
async def test_a_model_is_missing_if_it_is_neither_listed_nor_answers(
    new_model: NewModel, replies: Sequence[Reply], said: str | None
) -> None:
    """A list alone proves nothing, and what may pass proves nothing either."""
    model = new_model(*replies)
    missing = await scripted_gateway(model).find_missing("m/x", 3)
    assert missing is None if said is None else str(missing).startswith(said)
    assert len(model.requests) == len(replies)


async def test_the_question_is_tiny_and_paid_for(new_model: NewModel) -> None:
    """Its answer is in the ledger; the refused one costs nothing."""
    model = new_model(listing("m/a"), reply(status=404), listing("m/a"), reply("1"))
    gateway = scripted_gateway(model, budget=BudgetGuard(Budget(max_cost_usd=1), Price(1e-6, 1e-6)))
    assert await gateway.find_missing("m/x", 3) is not None
    assert gateway.ledger.total_usd == 0
    assert await gateway.find_missing("m/x", 3) is None
    assert gateway.ledger.total_usd == 0.5
    body = model.body()
    assert (body["model"], body["max_tokens"]) == ("m/x", PROBE_TOKENS)
