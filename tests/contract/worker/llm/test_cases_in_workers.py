"""Cases of the table of model answers through whole workers: what is saved, what is booked, how they end."""

from collections.abc import Callable, Sequence

import pytest

from gather_worker.llm.asking.course import PAID_MAX
from tests.support.model_cases.case_bodies import note
from tests.support.model_cases.case_files import CHARGED, Answer, Case, cases
from tests.support.model_cases.case_server import APART, CaseServer, answers_of, served
from tests.support.worker_harness import Ended, WorkerHarness

NewHarness = Callable[..., WorkerHarness]

REFUSED = (
    "failure/passing_400_in_200",
    "form/max_completion_tokens",
    "form/limit_too_large",
    "form/json_object",
)
"""One request for notes meets them one after the other."""
ANSWERED = (
    "bill/own_key_fee",
    "reading/eleven",
    "transport/stream_cut",
    "bill/priority_of_a_project",
    "transport/stream_of_responses",
    "reading/too_few",
)
"""Each of them is one iteration's."""
ENDED = ("bill/own_key_cap", "failure/lasting_400", "failure/key_wrong", "failure/quota")
ENDINGS = {
    "misconfigured": (64, "InvalidInput"),
    "try again": (75, "ModelUnavailable"),
    "budget used": (0, "BudgetUsed"),
}


def named(names: Sequence[str]) -> list[Case]:
    """Return the cases of these names, in their order."""
    known = {f"{case.kind}/{case.name}": case for case in cases()}
    return [known[name] for name in names]


def run(harness: WorkerHarness, model: CaseServer, iterations: int) -> Ended:
    """Run a worker that asks this model, at the cases' price."""
    harness.services = type(harness.services)(**{**vars(harness.services), "model_uri": model.uri})
    return harness.run(
        0, iterations,
        GATHER_LLM_PRICE_INPUT_USD_PER_MILLION="1", GATHER_LLM_PRICE_OUTPUT_USD_PER_MILLION="5",
    )  # fmt: skip


def assert_all_booked(harness: WorkerHarness, model: CaseServer) -> None:
    """The ledger is never below what was charged."""
    ledger = harness.checkpoint()["ledger"]
    reserved_usd = sum(reserve["costUsd"] for reserve in ledger["reserved"])
    assert ledger["costUsd"] + reserved_usd >= model.charged_usd - 1e-9
    assert ledger["requests"] + len(ledger["reserved"]) == len(model.requests)


def test_a_worker_takes_what_answers_hold(new_harness: NewHarness) -> None:
    """Refusals first, then a case an iteration: every note that is promised is saved, in both stores, and
    nothing else; all is paid for.
    """
    chosen = named(ANSWERED)
    promised = {
        note(number + APART * place)["content"]
        for place, case in enumerate(chosen)
        for number in case.expect.numbers
    }
    refusals = [answer for case in named(REFUSED) for answer in case.sequence]
    harness = new_harness(budget={"maxCostUSD": 5})
    harness.set_threshold(100)
    with served([*refusals, *answers_of(chosen)]) as model:
        ended = run(harness, model, len(chosen))
        assert ended.exit_code == 0, ended.messages()
        assert model.answers == []
        assert_all_booked(harness, model)
    items = harness.items()
    assert {item["content"] for item in items} == promised
    assert {item["_id"] for item in items} == harness.node_ids()


@pytest.mark.parametrize("name", ENDED)
def test_a_worker_ends_as_the_case_says(new_harness: NewHarness, name: str) -> None:
    """Exit code, reason and words; nothing is saved, and nothing booked below the charge."""
    (case,) = named([name])
    assert case.expect.ends is not None
    harness = new_harness(budget={"maxCostUSD": case.asked.budget_usd})
    with served(case.sequence * (1 if case.then == "good" else 9)) as model:
        ended = run(harness, model, 2)
        assert ended.result is not None
        assert (ended.exit_code, ended.result.reason) == ENDINGS[case.expect.ends], ended.messages()
        assert_all_booked(harness, model)
    assert harness.items() == []
    words = "\n".join([*ended.messages(), ended.result.message or ""])
    # The model's name is the run's here, and not the case's.
    assert [word for word in case.expect.words if word not in words and "/" not in word] == []
    assert [word for word in case.expect.never if word in words] == []


def test_a_model_that_gives_nothing_in_two_attempts_ends_the_department(new_harness: NewHarness) -> None:
    """A later attempt may get further, but no other pays again: another model has to be named."""
    (case,) = named(["reading/two_useless"])
    harness = new_harness(budget={"maxCostUSD": 5})
    with served(case.sequence * (2 * PAID_MAX)) as model:
        ended = [run(harness, model, 2) for _ in range(2)]
        assert model.answers == []
        assert_all_booked(harness, model)
    assert [each.exit_code for each in ended] == [75, 64], ended[-1].messages()
    assert ended[-1].result is not None
    assert f"no usable answer in {PAID_MAX} paid requests" in ended[-1].result.message


def test_what_was_paid_without_an_answer_is_known_to_the_next_attempt(new_harness: NewHarness) -> None:
    """Three requests of the first attempt, one of the second; at six the department ends."""
    harness = new_harness(budget={"maxCostUSD": 5})
    words = {"error": {"message": "upstream timed out", "code": 504}}
    timed_out = Answer(status=504, body=words, charged=CHARGED)
    with served([timed_out] * (PAID_MAX + 1)) as model:
        assert [run(harness, model, 2).exit_code for _ in range(2)] == [75, 75]
        assert model.answers == []
        assert_all_booked(harness, model)
    (counted,) = harness.checkpoint()["ledger"]["unanswered"]
    assert counted["requests"] == PAID_MAX + 1
