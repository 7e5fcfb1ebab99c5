"""A run of one department, and a model that answers from a script."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import openai
import pytest

from gather_contracts.departments import ResolvedDepartment
from gather_contracts.resource import GatherRunSpec
from gather_contracts.run_document import RunDocument, RunIdentity

Reply = httpx2.Response | Exception


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


class ScriptedModel:
    """An OpenAI-compatible endpoint in this process that gives one scripted reply after the other."""

    def __init__(self, base_url: str) -> None:
        self.replies: list[Reply] = []
        self.requests: list[httpx2.Request] = []
        transport = httpx2.MockTransport(self._answer)
        http = httpx2.AsyncClient(transport=transport)
        self.client = openai.AsyncOpenAI(api_key="k", base_url=base_url, max_retries=0, http_client=http)

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        reply = self.replies.pop(0)
        if isinstance(reply, Exception):
            raise reply
        return reply

    def body(self, number: int = -1) -> dict[str, Any]:
        """Return a request's body."""
        found: dict[str, Any] = json.loads(self.requests[number].content)
        return found


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
