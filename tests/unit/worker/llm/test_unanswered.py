"""A model that does not answer is paid a bounded number of requests, over all attempts of the Job."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from gather_contracts.resource import Budget
from gather_worker.attempt import Attempt
from gather_worker.errors import AnswerInvalid, DeadlineNear, ModelRejected, ModelSpent, ModelUnavailable
from gather_worker.llm.asking.course import PAID_MAX, UNANSWERED_MAX
from gather_worker.llm.budget import BudgetGuard, InMemoryLedgerStore
from gather_worker.llm.gateway import ModelGateway
from gather_worker.llm.ledger import Ledger
from gather_worker.llm.pricing import Price
from gather_worker.schemas import DraftBatch, QualityVerdict
from tests.support.model_cases.case_bodies import GOOD, response_of
from tests.support.scripted_model import PROMPT, client_of, reply, scripted_gateway

NewModel = Callable[..., Any]
pytestmark = pytest.mark.usefixtures("no_backoff")


def slow() -> httpx.ReadTimeout:
    return httpx.ReadTimeout("slow")


def written() -> httpx.Response:
    """Eight notes."""
    response = response_of(GOOD)
    assert isinstance(response, httpx.Response)
    return response


class Department:
    """Attempts at one department, with the ledger that its checkpoint keeps."""

    def __init__(self, new_model: NewModel, **options: Any) -> None:
        self._new_model = new_model
        self._options = options
        self.store = InMemoryLedgerStore(Ledger())
        self.asked: list[str] = []

    async def attempt(self, *replies: Any, wants: Any = DraftBatch) -> Any:
        """Ask for notes, as an attempt does; the store comes as it is in the database."""
        self.store.ledger = Ledger.model_validate_json(self.store.ledger.model_dump_json(by_alias=True))
        model = self._new_model(*replies)
        guard = BudgetGuard(Budget(max_cost_usd=1000), Price(0, 1e-3))
        gateway = scripted_gateway(model, budget=guard, max_tokens=4000, **self._options)
        gateway.save_ledger_in(self.store)
        try:
            return await gateway.ask("m/x", PROMPT, wants)
        finally:
            self.asked += [model.body(number)["model"] for number in range(len(model.requests))]


@pytest.mark.parametrize("trouble", [slow, lambda: reply(status=504)], ids=["timeout", "504"])
async def test_a_model_that_never_answers_is_paid_six_requests_in_all_attempts(
    new_model: NewModel, trouble: Callable[[], Any]
) -> None:
    """Three in the first attempt, one in each later one; then it ends for good, and names the setting."""
    department = Department(new_model)
    for requests in (PAID_MAX, 1, 1):
        with pytest.raises(ModelUnavailable):
            await department.attempt(*[trouble() for _ in range(requests)])
    with pytest.raises(
        ModelSpent, match=r"m/x: 6 paid requests .* raise GATHER_LLM_TIMEOUT_S \(5 s\)"
    ) as end:
        await department.attempt(trouble())
    assert end.value.is_request_fault
    assert len(str(end.value)) < 256 + 200
    booked = department.store.ledger.total_usd
    with pytest.raises(ModelSpent, match="GATHER_LLM_TIMEOUT_S"):
        await department.attempt()
    assert len(department.asked) == UNANSWERED_MAX
    assert department.store.ledger.total_usd == booked


async def test_an_answer_ends_the_row(new_model: NewModel) -> None:
    """A later attempt then has three again."""
    department = Department(new_model)
    with pytest.raises(ModelUnavailable):
        await department.attempt(slow(), slow(), slow())
    assert (await department.attempt(written())).items
    assert department.store.ledger.unanswered == []
    assert (await department.attempt(slow(), slow(), written())).items


async def test_the_fallbacks_are_counted_each_for_itself(new_model: NewModel) -> None:
    """The wanted model is asked once more in each attempt, then the one that stands in."""
    department = Department(new_model, fallbacks=("f/y",))
    with pytest.raises(ModelUnavailable):
        await department.attempt(slow(), slow(), slow())
    assert department.asked == ["m/x", "m/x", "f/y"]
    department.asked.clear()
    assert (await department.attempt(slow(), written())).items
    assert department.asked == ["m/x", "f/y"]
    for _ in range(3):
        assert (await department.attempt(slow(), written())).items
    department.asked.clear()
    assert (await department.attempt(written())).items
    assert department.asked == ["f/y"]


async def test_what_costs_nothing_is_not_counted(new_model: NewModel) -> None:
    """A model that is overloaded, or not there yet, is asked in every attempt."""
    department = Department(new_model)
    for _ in range(UNANSWERED_MAX + 1):
        with pytest.raises(ModelUnavailable):
            await department.attempt(
                *[reply(status=429)] * 3, httpx.ConnectError("no"), *[reply(status=503)] * 2
            )
    assert department.store.ledger.unanswered == []


async def test_verdicts_do_not_count(new_model: NewModel) -> None:
    """They are done without, and several are asked for at once; two paid requests are the most of each."""
    department = Department(new_model)
    for _ in range(4):
        with pytest.raises(ModelUnavailable):
            await department.attempt(slow(), slow(), wants=QualityVerdict)
    assert department.store.ledger.unanswered == []


async def test_a_judge_that_never_answers_is_not_paid_to_the_end(new_model: NewModel) -> None:
    """Three times in a row, several at once counting as one; an attempt goes on without it then."""
    model = new_model(*[slow() for _ in range(6)])
    gateway = scripted_gateway(model)
    for _ in range(3):
        with pytest.raises(ModelUnavailable):
            await gateway.ask("m/x", PROMPT, QualityVerdict)
        gateway._models.succeeded("m/x")  # its breaker has closed meanwhile
    with pytest.raises(AnswerInvalid, match="3 times in a row"):
        await gateway.ask("m/x", PROMPT, QualityVerdict)


async def test_verdicts_that_are_asked_for_at_once_meet_one_trouble(new_model: NewModel) -> None:
    """It does not end the judge's part in the attempt."""
    gateway = scripted_gateway(new_model(*[slow() for _ in range(10)], reply()))
    asked = [gateway.ask("m/x", PROMPT, QualityVerdict, scope=str(number)) for number in range(5)]
    failed = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(each) for each in failed] == [ModelUnavailable] * 5
    gateway._models.succeeded("m/x")
    assert (await gateway.ask("m/x", PROMPT, QualityVerdict, scope="6")).depth == 1


async def test_an_answer_that_the_attempt_s_end_cuts_off_counts() -> None:
    """It was paid too."""
    store = InMemoryLedgerStore()

    async def never(_: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    attempt = Attempt(0.2)
    gateway = ModelGateway(client_of(never), attempt, timeout_s=60, max_tokens=4000)
    gateway.save_ledger_in(store)
    with pytest.raises((DeadlineNear, ModelUnavailable)):
        await gateway.ask("m/x", PROMPT, DraftBatch)
    assert store.ledger.unanswered_by("m/x") == len(store.ledger.reserved) == 1


async def test_a_filter_that_is_paid_for_is_bounded_too(new_model: NewModel) -> None:
    """Azure charges for what its filter refuses."""
    refused = {"error": {"message": "filtered", "code": "content_filter"}}
    department = Department(new_model)
    for requests in (2, 1, 1):
        with pytest.raises(ModelRejected):
            await department.attempt(*[httpx.Response(400, json=refused) for _ in range(requests)])
    assert department.store.ledger.unanswered_by("m/x") == 4
