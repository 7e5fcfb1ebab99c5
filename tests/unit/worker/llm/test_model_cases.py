"""The table of model answers (tests/data/model_answers): what the gateway makes of each."""

from collections import Counter

import pytest

from tests.support.model_cases.case_files import Case, cases
from tests.support.model_cases.case_findings import EXACT_USD, findings
from tests.support.model_cases.case_runs import play

CASES_LEAST = 200
CAP_USD = 0.06
BILLS = [case for case in cases() if case.kind == "bill"]


def named(case: Case) -> str:
    """Return the place of a case's file."""
    return f"{case.kind}/{case.name}"


@pytest.mark.parametrize("case", cases(), ids=named)
async def test_a_case_comes_out_as_its_file_says(case: Case) -> None:
    """Notes, money, course and words."""
    assert findings(case, await play(case)) == []


@pytest.mark.parametrize("case", BILLS, ids=named)
async def test_the_cap_holds_in_whatever_form_the_bill_comes(case: Case) -> None:
    """The same answer to every question, until the cap ends them: no request is sent that it does not cover,
    as far as the bills before it could show.
    """
    asked = case.asked.model_copy(update={"budget_usd": CAP_USD, "questions": 8})
    played = await play(case.model_copy(update={"asked": asked, "then": "last"}))
    assert played.ledger.total_usd >= played.charged.usd - EXACT_USD
    assert played.charged_before_last.usd <= CAP_USD
    assert played.ledger.tokens >= played.charged.tokens


def test_the_table_has_every_kind_of_case() -> None:
    """A folder that is not read would hold nothing to anything."""
    counts = Counter(case.kind for case in cases())
    assert min(counts[kind] for kind in ("bill", "reading", "form", "failure", "transport")) >= 20
    assert counts.total() >= CASES_LEAST
