"""What each outside system's facts mean; what a test with the real one can hardly make."""

from typing import Any

import pytest

from gather_contracts import names
from gather_worker.check import model_check, run_cost
from gather_worker.check.broker_check import BrokerFacts, broker_findings
from gather_worker.check.findings import Status
from gather_worker.check.model_check import ModelFacts, Reply, gather_model_facts, model_findings
from gather_worker.check.mongodb_check import StoreFacts, mongodb_findings
from gather_worker.check.redis_check import RedisFacts, redis_findings
from gather_worker.check.run_cost import cost_finding, iterations_cost
from gather_worker.llm.access.model_client import Access
from gather_worker.llm.pricing import Price

MODEL = "vendor/model"
LISTED = Reply(200, {"data": [{"id": MODEL}]}, is_json=True)


def statuses(findings: Any) -> dict[str, Status]:
    """Return each finding's status by its name."""
    return {finding.name: finding.status for finding in findings}


@pytest.mark.parametrize(
    ("facts", "name"),
    [
        (RedisFacts(max_memory=1_000_000, eviction="allkeys-lru", is_persistent=True), "Redis memory"),
        (RedisFacts(max_memory=1_000_000, eviction="volatile-ttl", is_persistent=True), "Redis memory"),
        (RedisFacts(max_memory=0, eviction="noeviction", is_persistent=False), "Redis data"),
        (RedisFacts(max_memory=None), "Redis memory"),
    ],
)
def test_a_redis_that_can_lose_what_it_was_given_is_a_warning(facts: RedisFacts, name: str) -> None:
    """By eviction, by a restart, or nobody knows."""
    assert statuses(redis_findings(facts)) == {"Redis": Status.OK, name: Status.WARN}


def test_a_redis_without_a_limit_evicts_nothing() -> None:
    """Whatever its policy is."""
    facts = RedisFacts(max_memory=0, eviction="allkeys-lru", is_persistent=True)
    assert statuses(redis_findings(facts)) == {"Redis": Status.OK}


def test_a_read_only_replica_is_told_from_missing_rights() -> None:
    """Both refuse the script's commands."""
    (found,) = redis_findings(
        RedisFacts(refused=["DEL: READONLY You can't write against a read only replica."])
    )
    assert "replica" in found.text


def test_a_worker_that_does_not_know_the_task_drops_what_it_takes() -> None:
    """One of two on the queue is enough to lose evaluations."""
    facts = BrokerFacts(
        registered={"one": ["evaluate"], "two": ["other"]}, queues={"one": ["q"], "two": ["q"]}
    )
    reached, task = broker_findings(facts, "evaluate", "q")
    assert (reached.status, task.status) == (Status.OK, Status.FAIL)
    assert task.text.endswith("drop it: two")
    facts.queues["two"] = ["another"]
    assert broker_findings(facts, "evaluate", "q")[1].status is Status.OK


def test_a_celery_door_is_no_worker_that_drops_tasks() -> None:
    """It answers as one, and leaves in the queue what it does not know."""
    door = f"{names.CELERY_DOOR}@gather-celery-door-0"
    facts = BrokerFacts(registered={door: [names.GATHER_TASK]}, queues={door: ["q"]})
    found = broker_findings(facts, "evaluate", "q")[1]
    assert (found.status, "no Celery worker answered" in found.text) == (Status.WARN, True)
    facts.registered["one"], facts.queues["one"] = ["evaluate"], ["q"]
    assert broker_findings(facts, "evaluate", "q")[1].status is Status.OK


def test_openrouter_s_list_needs_no_key_so_the_key_is_looked_at_by_itself() -> None:
    """Refused, without credit, or accepted."""
    facts = ModelFacts(is_openrouter=True, has_key=True, models=LISTED)
    for reply, status in (
        (Reply(401, {"error": {}}, is_json=True), Status.FAIL),
        (Reply(200, {"data": {"limit_remaining": 0}}, is_json=True), Status.FAIL),
        (Reply(200, {"data": {"limit_remaining": None}}, is_json=True), Status.OK),
    ):
        facts.key = reply
        found = model_findings(facts, [MODEL], 8000, has_own_price=True, is_capped=False)
        assert statuses(found)["Model key"] is status
    facts.has_key = False
    found = model_findings(facts, [MODEL], 8000, has_own_price=True, is_capped=False)
    assert statuses(found)["Model key"] is Status.FAIL


@pytest.mark.parametrize(
    "body", [None, [], {"data": None}, {"data": [1, {"id": 2}]}, {"data": [{"id": MODEL}]}]
)
def test_no_list_of_models_breaks_the_check(body: Any) -> None:
    """Whatever it holds."""
    facts = ModelFacts(models=Reply(200, body, is_json=True))
    assert model_findings(facts, [MODEL], 8000, has_own_price=False, is_capped=True)


async def test_the_address_in_a_report_has_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the password in it nor a key among its parameters."""

    async def unreachable(*_: Any) -> Reply:
        return Reply(problem="gone")

    monkeypatch.setattr(model_check, "_get", unreachable)
    facts = await gather_model_facts("http://user:pass@m.svc/v1/?key=sekret", Access(), [], is_asked=False)
    (found,) = model_findings(facts, [], 8000, has_own_price=True, is_capped=False)
    assert found.text == "http://m.svc/v1 cannot be reached: gone"


def test_a_majority_that_does_not_answer_and_a_validator_that_only_warns() -> None:
    """The one stops runs, the other does not."""
    facts = StoreFacts(
        version=(7, 0), is_replicated=True, majority="WTimeoutError: waiting", collection_type="collection",
        has_validator=True, is_only_warned=True, refused_by=[("content", "required")],
    )  # fmt: skip
    found = statuses(mongodb_findings(facts, "0" * 24))
    assert found["MongoDB majority"] is Status.FAIL
    assert found["MongoDB gather"] is Status.WARN


def test_iterations_cost_between_the_shortest_and_the_longest_answers() -> None:
    """In proportion to their number; a dearer model of one department raises the most alone."""
    cheap, dear = Price(1e-6, 4e-6), Price(5e-6, 25e-6)
    one = iterations_cost(1, [cheap], None, repeats=1, max_tokens=8000)
    ten = iterations_cost(10, [cheap], None, repeats=1, max_tokens=8000)
    both = iterations_cost(10, [cheap, dear], None, repeats=1, max_tokens=8000)
    assert ten.least_usd == pytest.approx(10 * one.least_usd)
    assert 0 < one.least_usd < one.most_usd
    assert both.least_usd == ten.least_usd
    assert both.most_usd > ten.most_usd
    judged = iterations_cost(10, [cheap], dear, repeats=3, max_tokens=8000)
    assert judged.least_usd > ten.least_usd
    assert iterations_cost(10, [Price(0, 0)], None, repeats=1, max_tokens=8000) == run_cost.Bounds(0, 0)


def test_the_cap_bounds_what_is_told() -> None:
    """And without a price it is all that is known."""
    bounds = run_cost.Bounds(1.0, 20.0)
    assert cost_finding(50, bounds, None).text.startswith("50 iterations: 1.00 to 20.00 USD")
    assert (
        cost_finding(50, bounds, 5).text == "50 iterations: 1.00 to 5.00 USD; budget.maxCostUSD of 5 caps it"
    )
    assert cost_finding(50, bounds, 30).text.endswith("is never reached")
    assert cost_finding(50, bounds, 0.5).text.startswith("50 iterations: 0.50 to 0.50 USD")
    assert cost_finding(50, None, 5).status is Status.WARN
