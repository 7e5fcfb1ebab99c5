"""`gather doctor` names the cause of each fault that is put into a healthy installation."""

import json
from typing import Any

import pytest

from tests.contract.cli.conftest import Gather
from tests.contract.cli.faults import FAULTS, Fault
from tests.support.installation.installation import Installation


def findings(gather: Gather, *options: str, user: str = "admin") -> list[dict[str, Any]]:
    """What doctor found."""
    said = gather("doctor", "-o", "json", *options, user=user)
    found = json.loads(said.out)
    assert said.code == found["exitCode"], said.err
    rows: list[dict[str, Any]] = found["findings"]
    return rows


def test_a_healthy_installation_is_fine(gather: Gather, installation: Installation) -> None:
    """Nothing is wrong, and all is looked at but what only a pod can see."""
    said = gather("doctor")
    assert said.code == 0, said.out
    assert {line.split()[0] for line in said.out.splitlines()[:-2] if not line.startswith(" ")} == {"ok", "skip"}, said.out
    assert "gather doctor --probe" in said.out


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_is_named_with_its_fix(gather: Gather, installation: Installation, fault: Fault) -> None:
    """Its cause and what helps, and nothing else is called wrong for it."""
    fault.seed(installation)
    rows = findings(gather)
    wrong = [row for row in rows if row["status"] in {"fail", "warn"}]
    named = [row for row in wrong if row["name"] == fault.finding and fault.says in row["finding"]]
    assert named, [(row["name"], row["status"], row["finding"]) for row in wrong]
    assert fault.fix in named[0]["fix"]
    assert named[0]["status"] == fault.status
