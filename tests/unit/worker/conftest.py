"""A run of one department, and a model that answers from a script."""

from collections.abc import Callable, Iterator

import pytest

from gather_clients.backoff import Backoff
from gather_contracts.departments import ResolvedDepartment
from gather_contracts.resource import GatherRunSpec
from gather_contracts.run_document import RunDocument, RunIdentity
from gather_worker.attempt import Attempt
from gather_worker.llm import gateway
from tests.support.scripted_model import Reply, ScriptedModel


@pytest.fixture
def document() -> RunDocument:
    """A run of two departments."""
    departments = [
        ResolvedDepartment(
            slug=slug, name=slug.title(), description="", code_dep_number=number, threshold=80, model="m/x"
        )
        for number, slug in enumerate(("story", "sound"), start=1)
    ]
    return RunDocument(
        run=RunIdentity(name="run", namespace="ns", uid="uid-1"),
        spec=GatherRunSpec(project_id="a" * 24, user_id="u"),
        departments=departments,
    )


@pytest.fixture
def new_model() -> Iterator[Callable[..., ScriptedModel]]:
    """Make scripted models; each must have given all its replies by the test's end."""
    models: list[ScriptedModel] = []

    def make(*replies: Reply, base_url: str = "http://model.test/v1") -> ScriptedModel:
        models.append(ScriptedModel(base_url))
        models[-1].replies = list(replies)
        return models[-1]

    yield make
    assert [model.replies for model in models if model.replies] == []


@pytest.fixture
def no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without waits of our own; what the server asks for is waited for."""
    monkeypatch.setattr(gateway, "BACKOFF", Backoff(0.001, 0.03))
    monkeypatch.setattr(gateway, "ADDRESS_PAUSE_S", 0.001)
    monkeypatch.setattr(gateway, "RETRY_AFTER_EXTRA_S", 0.001)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits that attempts began, in seconds."""
    begun: list[float] = []
    genuine = Attempt.sleep

    async def sleep(attempt: Attempt, duration_s: float) -> None:
        begun.append(duration_s)
        await genuine(attempt, duration_s)

    monkeypatch.setattr(Attempt, "sleep", sleep)
    return begun
