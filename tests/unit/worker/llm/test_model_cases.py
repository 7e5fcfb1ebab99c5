"""The table of model answers (tests/data/model_answers): what the gateway makes of each."""

from collections import Counter

import pytest

from tests.support.model_cases.case_files import Case, cases
from tests.support.model_cases.case_findings import findings
from tests.support.model_cases.case_runs import play

CASES_LEAST = 200


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.kind}/{case.name}")
async def test_a_case_comes_out_as_its_file_says(case: Case) -> None:
    """Notes, money, course and words."""
    assert findings(case, await play(case)) == []


def test_the_table_has_every_kind_of_case() -> None:
    """A folder that is not read would hold nothing to anything."""
    counts = Counter(case.kind for case in cases())
    assert min(counts[kind] for kind in ("bill", "reading", "form", "failure", "transport")) >= 20
    assert counts.total() >= CASES_LEAST
