"""Uninstalling and deleting the namespace never hang, in whatever order, with live and with ended runs."""

from collections.abc import Iterator

import pytest

from dev.waiting import wait_for
from gather_contracts.reasons import RunPhase
from tests.support.deployed_gather import DeployedGather, new_project
from tests.support.kubernetes.own_release import OwnRelease, own_release

GONE_S = 90
"""A pod's grace of 30 s, the namespace controller's own waits, and two busy cores."""
OPERATOR = "app.kubernetes.io/component=operator"


def _start_runs(own: OwnRelease) -> None:
    """One run that has ended, and one at work."""
    own.gather.apply_run("ended", new_project(), departments=["story"], maxIterations=1)
    own.gather.wait_end("ended", 300)
    created = own.gather.apply_run("live", new_project(), departments=["story", "character"])
    own.gather.wait_running_pod(created, 90)
    wait_for("only the live run to be held", lambda: own.held() == ["live"], 30)


@pytest.fixture
def own(gather: DeployedGather, slow_model: None) -> Iterator[OwnRelease]:
    """An operator of its own, with a run at work and one that has ended."""
    with own_release(gather, "gather-e2e-gone") as release:
        _start_runs(release)
        yield release


@pytest.mark.long
def test_the_chart_goes_first_then_the_runs(own: OwnRelease) -> None:
    """The hook stops the Jobs and lets go; the runs stay, and can be deleted without an operator."""
    own.uninstall()
    assert own.held() == []
    run = own.gather.run("live")
    wait_for("no pod of it", lambda: not own.gather.pods_of(run), 60)
    assert run.status.phase is RunPhase.RUNNING
    own.gather.kubectl("delete", "gatherruns", "--all", "--timeout=30s")
    own.delete_namespace()
    own.wait_gone(GONE_S)


@pytest.mark.long
def test_the_runs_go_first_then_the_chart(own: OwnRelease) -> None:
    """As documented; the hook finds nothing to do."""
    own.gather.kubectl("delete", "gatherruns", "--all", "--timeout=50s")
    own.uninstall()
    own.delete_namespace()
    own.wait_gone(GONE_S)


@pytest.mark.long
def test_the_runs_go_and_the_chart_goes_meanwhile(own: OwnRelease) -> None:
    """The hook gives the operator the time to end them."""
    own.gather.delete_run("live")
    own.uninstall()
    own.gather.wait_gone("live", 30)


def test_the_namespace_goes_with_all_that_is_in_it(own: OwnRelease) -> None:
    """The operator sees that its namespace ends and lets go before its own rights are deleted."""
    own.delete_namespace()
    own.wait_gone(GONE_S)


@pytest.mark.long
def test_the_operator_is_scaled_to_zero_and_the_namespace_goes(own: OwnRelease) -> None:
    """At its end it sees that no other follows, and lets go."""
    own.gather.scale("gather-operator", 0)
    wait_for("no operator", lambda: not own.gather.objects("pods", OPERATOR), 60)
    assert own.held() == []
    own.delete_namespace()
    own.wait_gone(GONE_S)


@pytest.mark.long
def test_an_operator_that_comes_back_goes_on(own: OwnRelease) -> None:
    """What it let go of it holds again; no department gets a second Job for it."""
    own.gather.scale("gather-operator", 0)
    wait_for("no operator", lambda: not own.gather.objects("pods", OPERATOR), 60)
    own.gather.scale("gather-operator", 1)
    run = own.gather.wait_end("live", 400)
    assert run.status.phase is RunPhase.SUCCEEDED
    assert len(own.gather.jobs_of(run)) == 2


@pytest.mark.long
def test_the_operator_is_killed_and_the_chart_goes_at_once(own: OwnRelease) -> None:
    """The hook waits for no operator."""
    own.gather.kill_pods(OPERATOR)
    own.uninstall()
    assert own.held() == []
    own.delete_namespace()
    own.wait_gone(GONE_S)


@pytest.mark.long
def test_a_deleted_deployment_leaves_no_run_behind(own: OwnRelease) -> None:
    """Somebody deletes the operator's Deployment, then the namespace."""
    own.gather.kubectl("delete", "deployment", "gather-operator", "--wait=true")
    wait_for("no operator", lambda: not own.gather.objects("pods", OPERATOR), 60)
    assert own.held() == []
    own.delete_namespace()
    own.wait_gone(GONE_S)
