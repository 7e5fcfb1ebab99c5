"""Which changes of Jobs and pods bring a run's next pass at once."""

from dataclasses import replace
from typing import Any

import pytest

from gather_operator.decisions.facts import ConditionFacts
from gather_operator.decisions.news import is_job_news, is_pod_news


@pytest.mark.parametrize(
    ("change", "is_news"),
    [
        ({"node": "n1"}, False),
        ({"phase": "Running", "started": "2026-05-01T11:00:00Z"}, False),
        ({"phase": "Succeeded"}, True),
        ({"exit_code": 1}, True),
        ({"is_terminating": True}, True),
        ({"is_lingering": True}, True),
        ({"reason": "ImagePullBackOff"}, True),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_a_pod_that_ends_or_is_in_trouble_is_news(build: Any, change: dict[str, Any], is_news: bool) -> None:
    before = build.pod("story")
    assert is_pod_news(before, replace(before, **change)) is is_news


def test_the_end_of_a_pod_is_news_once(build: Any) -> None:
    """Its phase follows its container's end."""
    ended = build.pod("story", phase="Running", exit_code=0)
    assert not is_pod_news(ended, replace(ended, phase="Succeeded"))
    assert not is_pod_news(None, build.pod("story"))
    assert is_pod_news(None, ended)


@pytest.mark.parametrize(
    ("change", "is_news"),
    [
        ({"is_complete": True}, False),
        ({"failed_pods": 1}, False),
        ({"is_failed": True}, True),
        ({"conditions": (ConditionFacts("FailureTarget", "True"),)}, True),
        ({"is_terminating": True}, True),
        ({"is_suspended": True}, True),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else str(value),
)
def test_a_job_that_fails_or_is_held_is_news(build: Any, change: dict[str, Any], is_news: bool) -> None:
    """One that completes has shown its pod's end before."""
    before = build.job("story")
    assert is_job_news(before, replace(before, **change)) is is_news
    assert not is_job_news(None, before)
