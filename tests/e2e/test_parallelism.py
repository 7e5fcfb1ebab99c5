"""Several departments at work at once: in order, within the run's iterations, and the run ends as always."""

import pytest

from dev.waiting import wait_for
from gather_contracts.reasons import DepartmentPhase
from gather_contracts.resource import DepartmentStatus, GatherRun
from tests.support.deployed_gather import DeployedGather, is_succeeded, new_project, run_of, total_items

DEPARTMENTS = ["story", "character", "production"]
ITERATIONS = 12


def at_work(run: GatherRun) -> list[DepartmentStatus]:
    """Return the departments at work."""
    return [d for d in run.status.departments if d.phase is DepartmentPhase.RUNNING]


def given(run: GatherRun) -> int:
    """Return the iterations that those at work may use, and the others have used."""
    busy = at_work(run)
    return sum(d.iteration_limit for d in busy) + sum(
        d.iterations for d in run.status.departments if d not in busy
    )


@pytest.mark.usefixtures("slow_model")
def test_two_departments_at_once_share_the_run_s_iterations(gather: DeployedGather) -> None:
    """The third starts when one of them has ended; each writes what the others have not written."""
    project, name = new_project(), "two-at-once"
    with run_of(
        gather, name, project, departments=DEPARTMENTS, maxIterations=ITERATIONS, parallelism=2
    ) as created:
        run = gather.wait_run(name, "to have two at work", lambda r: len(at_work(r)) == 2, 120)
        assert [d.slug for d in at_work(run)] == [d.slug for d in run.status.departments[:2]]
        assert run.status.current_department == run.status.departments[0].slug
        seen: list[GatherRun] = []

        def has_ended(latest: GatherRun) -> bool:
            seen.append(latest)
            return latest.status.phase.is_final

        run = gather.wait_run(name, "to end", has_ended, 400)
        assert is_succeeded(run), run.status
        assert max(len(at_work(r)) for r in seen) <= 2
        assert max(given(r) for r in seen) <= ITERATIONS
        assert len(gather.jobs_of(created)) == len(DEPARTMENTS)
        items = gather.items(project, created.metadata.uid)
        assert run.status.items_created == total_items(run) == len(items)
        assert len({i["content"] for i in items}) == len(items)
        assert {i["_id"] for i in items} == gather.node_ids(project)


@pytest.mark.long
@pytest.mark.usefixtures("slow_model")
def test_two_departments_at_once_can_be_held_and_cancelled(gather: DeployedGather) -> None:
    """Both save, and both go."""
    project, name = new_project(), "two-held"
    with run_of(
        gather, name, project, departments=DEPARTMENTS, maxIterations=ITERATIONS, parallelism=2
    ) as created:
        gather.wait_run(name, "to have two at work", lambda r: len(at_work(r)) == 2, 120)
        gather.wait_run(name, "to save items", lambda r: r.status.items_created > 0, 120)
        gather.kubectl("patch", "gatherrun", name, "--type=merge", "-p", '{"spec":{"suspend":true}}')
        wait_for("no pods of a suspended run", lambda: not gather.pods_of(created), 40)
        jobs = gather.jobs_of(created)
        assert [j["spec"]["suspend"] for j in jobs] == [True, True]
        gather.kubectl("patch", "gatherrun", name, "--type=merge", "-p", '{"spec":{"cancel":true}}')
        run = gather.wait_end(name, 60)
        assert run.status.items_created == len(gather.items(project, created.metadata.uid)) > 0
