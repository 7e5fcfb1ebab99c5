"""`gather-worker check`: misconfigurations, seeded one by one, are named with their fix as the page has it.

MongoDB (with users), Redis (with users) and Celery are real; the brain, the model and the CMS are scripted.
"""

from collections.abc import Callable

import pytest

from tests.support.application.check_world import PASSWORD, Report, World
from tests.support.application.misconfigurations import BROKEN_EVALUATIONS, MISCONFIGURATIONS, documented


@pytest.mark.parametrize("wrong", MISCONFIGURATIONS)
def test_a_misconfiguration_is_named_with_its_fix(
    world: World, check: Callable[[], Report], wrong: str
) -> None:
    """In the one finding that it belongs to, and no secret is shown."""
    MISCONFIGURATIONS[wrong](world)
    report, row = check(), documented()[wrong]
    assert any(row.is_of(finding) for finding in report.of("warn", "fail")), report.text
    assert report.code == row.exit_code, report.text
    assert {f["name"] for f in report.of("fail")} <= {row.finding}, report.text
    shown = [PASSWORD, "wrong-password", *map(str, world.secrets.values())]
    assert not [each for each in shown if len(each) > 20 and each in report.text]
    assert PASSWORD not in report.text


@pytest.mark.usefixtures("application")
@pytest.mark.parametrize("wrong", BROKEN_EVALUATIONS)
def test_an_evaluation_that_would_not_arrive_is_named(
    world: World, check: Callable[[], Report], wrong: str
) -> None:
    """Runs go on without: exit code 0, and 64 if all is wanted."""
    world.set_run()
    BROKEN_EVALUATIONS[wrong](world)
    report, row = check(), documented()[wrong]
    assert len(report.of("fail")) == 1, report.text
    assert row.is_of(report.of("fail")[0]), report.text
    assert report.code == row.exit_code == 0, report.text
    world.arguments.append("--strict")
    assert check().code == 64
