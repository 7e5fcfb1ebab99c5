"""Two projects at once, and a CMS that is unavailable: runs do not see or hinder each other."""

import httpx
import pytest

from dev.waiting import wait_for
from tests.support.deployed_gather import DeployedGather, is_succeeded, new_project, run_of

ONE, OTHER = new_project(), new_project()


def test_two_runs_at_once_see_only_their_own_items(gather: DeployedGather, brain_key: str) -> None:
    """Neither in MongoDB, nor in the brain, nor on the channel."""
    with (
        gather.recorded_events(ONE) as one_events,
        gather.recorded_events(OTHER) as other_events,
        run_of(gather, "one", ONE, departments=["story", "character"], maxIterations=8),
        run_of(gather, "other", OTHER, departments=["story", "character"], maxIterations=8),
    ):
        ended = [gather.wait_end(name, 300) for name in ("one", "other")]
    assert all(is_succeeded(run) for run in ended)
    ids = {project: {i["_id"] for i in gather.items(project)} for project in (ONE, OTHER)}
    assert not ids[ONE] & ids[OTHER]
    assert {p: gather.node_ids(p) for p in ids} == ids
    assert {e.project_id for e in one_events} == {ONE}
    assert {e.project_id for e in other_events} == {OTHER}
    with gather.forward("gather-brain", 8080) as port:
        answer = httpx.post(
            f"http://127.0.0.1:{port}/api/v1/search/duplicates",
            headers={"Authorization": f"Bearer {brain_key}"},
            json={
                "content": gather.items(ONE)[0]["content"],
                "projectId": OTHER,
                "threshold": 0,
                "limit": 50,
            },
            timeout=10,
        ).json()
    assert {d["nodeId"] for d in answer["duplicates"]} <= ids[OTHER]


@pytest.mark.usefixtures("cms_down")
def test_a_run_waits_for_the_cms_and_says_so(gather: DeployedGather) -> None:
    """Pending with a reason while the CMS is unavailable; it starts by itself once the CMS answers."""
    project = new_project()
    with run_of(gather, "waiting", project, departments=["story"], maxIterations=1):
        run = gather.wait_run(
            "waiting", "to say why it waits", lambda r: r.status.reason == "CMSUnavailable", 60
        )
        (accepted,) = (c for c in run.status.conditions if c.type == "Accepted")
        assert (run.status.phase, accepted.status, accepted.reason) == ("Pending", "False", "CMSUnavailable")
        gather.scale("gather-backing-demo-cms", 1)
        gather.wait_ready("gather-backing-demo-cms")
        assert is_succeeded(gather.wait_end("waiting", 180))


def test_a_department_that_the_cms_does_not_name_is_said(gather: DeployedGather) -> None:
    """A typing error in spec.departments must not end as an empty success."""
    with run_of(gather, "typo", new_project(), departments=["no-such-department"]):
        run = wait_for(
            "a condition that names the slug",
            lambda: next(
                (c for c in gather.run("typo").status.conditions if "no-such-department" in c.message), None
            ),
            60,
        )
        assert run.reason == "NoDepartments"
