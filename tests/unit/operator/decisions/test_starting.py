"""Which departments start, how many at once, and that no iteration is given twice."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gather_contracts.reasons import DepartmentPhase
from gather_contracts.resource import GatherRun
from gather_contracts.result import StopReason
from gather_operator.decisions.actions import CreateJob
from gather_operator.decisions.assessment import needs_fresh_facts
from gather_operator.decisions.decide import decide
from gather_operator.decisions.starting import iteration_allowance


@pytest.mark.parametrize(
    ("maximum", "used", "after", "expected"),
    [
        pytest.param(50, 0, 6, 44, id="the first of seven leaves one for each of the six to come"),
        pytest.param(50, 44, 5, 1, id="having used all but the reserve, the next gets one"),
        pytest.param(50, 10, 0, 40, id="the last gets all that is left"),
        pytest.param(7, 0, 6, 1, id="as many iterations as departments: one each"),
        pytest.param(3, 0, 6, 1, id="fewer iterations than departments: the first gets one"),
        pytest.param(3, 2, 4, 1, id="fewer iterations than departments: the third gets the last"),
        pytest.param(3, 3, 3, 0, id="fewer iterations than departments: the fourth gets none"),
        pytest.param(1, 0, 0, 1, id="one iteration, one department"),
        pytest.param(5, 9, 2, 0, id="more used than allowed leaves none"),
    ],
)
def test_allowance(maximum: int, used: int, after: int, expected: int) -> None:
    """As the brief's formula has it."""
    assert iteration_allowance(maximum - used, after) == expected


@given(st.integers(1, 500), st.lists(st.floats(0, 1), min_size=1, max_size=32))
def test_a_run_never_uses_more_than_it_may(maximum: int, appetites: list[float]) -> None:
    """However much of its share each department uses; and while some is left, the next gets some."""
    used = 0
    for index, appetite in enumerate(appetites):
        share = iteration_allowance(maximum - used, len(appetites) - index - 1)
        assert (share == 0) == (used >= maximum)
        used += max(1, round(share * appetite)) if share else 0
    assert used <= maximum


@given(st.integers(1, 32), st.integers(0, 500))
def test_enough_iterations_reach_every_department(departments: int, extra: int) -> None:
    """Even if each department before used its whole share."""
    maximum, used = departments + extra, 0
    for index in range(departments):
        share = iteration_allowance(maximum - used, departments - index - 1)
        assert share >= 1
        used += share
    assert used == maximum


@pytest.mark.parametrize(
    ("left", "after", "at_once", "expected"),
    [
        pytest.param(50, 5, 2, 22, id="two at once share what the reserve leaves"),
        pytest.param(50, 0, 7, 7, id="all at once: equal shares"),
        pytest.param(3, 0, 7, 1, id="fewer iterations than departments: one each, while they last"),
        pytest.param(7, 5, 2, 1, id="as many iterations as departments"),
        pytest.param(0, 3, 2, 0, id="nothing left"),
    ],
)
def test_shares_of_departments_that_start_at_once(left: int, after: int, at_once: int, expected: int) -> None:
    """Nobody gets the iterations of another."""
    assert iteration_allowance(left, after, at_once) == expected


class Run:
    """A run whose departments end when they are told to, decided again after each change."""

    def __init__(self, build: Any, count: int, **spec: Any) -> None:
        self.build = build
        self.slugs = [f"d{i:02d}" for i in range(count)]
        statuses = build.departments(*self.slugs)
        self.run: GatherRun = build.run(spec=spec, status={"phase": "Running", "departments": statuses})
        self.jobs: dict[str, Any] = {}
        self.pods: dict[str, Any] = {}
        self.started: list[str] = []
        self.decide()

    def decide(self) -> None:
        """One pass: what is asked for is done, and the status written."""
        decision = decide(
            self.build.snapshot(
                self.run,
                document=self.build.document(*self.slugs),
                jobs=list(self.jobs.values()),
                pods=tuple(self.pods.values()),
            )
        )
        for action in decision.actions:
            assert isinstance(action, CreateJob)
            slug = self.slugs[action.department_index]
            self.started.append(slug)
            made = self.build.job(slug)
            self.jobs[slug] = type(made)(made.name, made.run_uid, 0, iterations=action.iterations)
            self.pods[slug] = self.build.pod(slug, phase="Running")
        self.run = self.run.model_copy(update={"status": decision.status})

    def end(self, slug: str, used: int, reason: StopReason = StopReason.THRESHOLD_REACHED) -> None:
        """A department's pod ends well."""
        self.pods[slug] = self.build.pod(
            slug, phase="Succeeded", result=self.build.result(used, used, reason=reason)
        )
        self.decide()

    def fail(self, slug: str) -> None:
        """A department uses up its attempts before its first iteration."""
        self.pods[slug] = self.build.pod(slug, phase="Failed", reason="Error")
        made = self.build.job(slug)
        self.jobs[slug] = type(made)(
            made.name, made.run_uid, 0, iterations=self.jobs[slug].iterations, is_failed=True
        )
        self.decide()

    @property
    def at_work(self) -> list[str]:
        """Return the departments at work."""
        return [d.slug for d in self.run.status.departments if d.phase is DepartmentPhase.RUNNING]

    def limit(self, slug: str) -> int:
        """Return how many iterations a department was given."""
        return next(d.iteration_limit for d in self.run.status.departments if d.slug == slug)

    @property
    def phases(self) -> list[str]:
        """Return the departments' phases."""
        return [str(d.phase) for d in self.run.status.departments]

    @property
    def taken(self) -> int:
        """Return the iterations that are used or given to departments at work."""
        return sum(
            d.iteration_limit if d.phase is DepartmentPhase.RUNNING else d.iterations
            for d in self.run.status.departments
        )


def test_as_many_are_at_work_as_may_be_in_order(build: Any) -> None:
    """One that ends makes room for the next."""
    run = Run(build, 5, parallelism=2, maxIterations=50)
    assert (run.at_work, run.limit("d00"), run.limit("d01")) == (["d00", "d01"], 23, 24)
    run.end("d01", 4)
    assert run.at_work == ["d00", "d02"]
    assert run.limit("d02") == 50 - 23 - 4 - 2
    assert run.run.status.current_department == "d00"
    assert run.run.status.progress == "1/5"
    condition = build.conditions(run.run.status)["Progressing"]
    assert condition.message == "Departments d00, d02 are at work."
    run.end("d00", 23)
    run.end("d02", 1)
    run.end("d03", 1)
    run.end("d04", 1)
    assert run.started == run.slugs
    assert run.run.status.phase == "Succeeded"


def test_one_at_a_time_is_what_it_was(build: Any) -> None:
    """The default."""
    run = Run(build, 3, maxIterations=50)
    assert (run.at_work, run.limit("d00")) == (["d00"], 48)


def test_none_is_skipped_while_another_may_leave_iterations_over(build: Any) -> None:
    """Two iterations for four departments, of which two are at work: the third waits for what they leave."""
    run = Run(build, 4, parallelism=3, maxIterations=2)
    assert run.phases == ["Running", "Running", "Pending", "Pending"]
    run.fail("d00")
    assert run.phases == ["Failed", "Running", "Running", "Pending"]
    run.end("d01", 1)
    run.end("d02", 1)
    assert run.phases == ["Failed", "Succeeded", "Succeeded", "Skipped"]


def test_after_a_failure_with_stop_those_at_work_end_by_themselves(build: Any) -> None:
    """No other starts, whichever of them failed."""
    run = Run(build, 4, parallelism=2, maxIterations=50, onDepartmentFailure="Stop")
    run.fail("d01")
    assert run.phases == ["Running", "Failed", "Skipped", "Skipped"]
    assert run.run.status.phase == "Running"
    run.end("d00", 3)
    assert run.run.status.phase == "Failed"


def test_once_the_budget_is_used_no_other_starts(build: Any) -> None:
    """Those at work find out for themselves."""
    run = Run(build, 4, parallelism=2, maxIterations=50)
    run.end("d01", 3, StopReason.BUDGET_USED)
    assert run.phases == ["Running", "Succeeded", "Skipped", "Skipped"]


def test_a_job_that_is_lost_keeps_its_place_and_its_iterations(build: Any) -> None:
    """Another one for the same department, and nobody else starts in between."""
    run = Run(build, 3, parallelism=2, maxIterations=30)
    limits = run.limit("d00"), run.limit("d01")
    del run.jobs["d00"], run.pods["d00"]
    run.decide()
    assert run.started == ["d00", "d01", "d00"]
    assert run.at_work == ["d00", "d01"]
    assert (run.limit("d00"), run.limit("d01")) == limits


def test_what_a_job_was_given_counts_and_not_what_a_status_says(build: Any) -> None:
    """The operator was killed between both, and the other department ended meanwhile."""
    statuses = build.departments("story", "world", "music")
    statuses[0] |= build.at_work | {"jobName": build.job_name("story"), "iterationLimit": 4}
    run = build.run(
        spec={"parallelism": 2, "maxIterations": 20}, status={"phase": "Running", "departments": statuses}
    )
    jobs = [build.job("story"), build.job("world")]
    decision = decide(build.snapshot(run, document=build.document("story", "world", "music"), jobs=jobs))
    assert [d.iteration_limit for d in decision.status.departments] == [10, 10, 0]
    assert decision.actions == ()


@pytest.mark.parametrize(("parallelism", "is_asked"), [(1, False), (2, True)])
def test_before_one_starts_beside_another_the_api_is_asked(
    build: Any, parallelism: int, is_asked: bool
) -> None:
    """A cache may not show yet what the other one was given."""
    run = build.running("story", "world", spec={"parallelism": parallelism})
    snapshot = build.snapshot(run, jobs=[build.job("story")], pods=(build.pod("story", phase="Running"),))
    assert needs_fresh_facts(snapshot) is is_asked
    accepted = build.run(spec={"parallelism": parallelism})
    document = build.document("story", "world")
    assert needs_fresh_facts(build.snapshot(accepted, document=document)) is is_asked
    assert not needs_fresh_facts(build.snapshot(accepted))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_iteration_is_given_twice_whoever_ends_first(build_class: Any, data: st.DataObject) -> None:
    """Where there are enough, each department gets one, and none is skipped; never too many are at work."""
    count, parallelism = data.draw(st.integers(1, 8)), data.draw(st.integers(1, 16))
    maximum = data.draw(st.integers(1, 60))
    run = Run(build_class(), count, parallelism=parallelism, maxIterations=maximum)
    while run.at_work:
        assert len(run.at_work) <= parallelism
        assert run.taken <= maximum
        assert all(run.limit(slug) >= 1 for slug in run.at_work)
        slug = data.draw(st.sampled_from(run.at_work))
        if data.draw(st.booleans()):
            run.end(slug, data.draw(st.integers(0, run.limit(slug))))
        else:
            run.fail(slug)
    assert run.taken <= maximum
    assert run.run.status.phase in {"Succeeded", "Failed"}
    assert run.started == [s for s, phase in zip(run.slugs, run.phases, strict=True) if phase != "Skipped"]
    assert "Skipped" not in run.phases or maximum < count
