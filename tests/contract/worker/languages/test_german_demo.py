"""The demo in another language than English: departments of the German film reach their thresholds."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dev.artefacts.store_binaries import StoreArtefacts
from dev.rooms import BRAIN_KEY, brain_service
from dev.stores import running
from gather_clients.brain_client import BrainClient
from gather_contracts.departments import CmsDepartment, ResolvedDepartment, resolve_department
from gather_contracts.result import StopReason
from gather_demo.cms.cms_api import shipped_departments
from gather_demo.languages import Language
from gather_demo.seed.__main__ import seed_brain, seed_mongodb
from gather_demo.seed.project import read_project
from tests.support.worker_harness import Services, WorkerHarness, demo_model_service

NewHarness = Callable[..., WorkerHarness]
NOT_REACHED = 80.0
"""For departments without a threshold; all of the demo have one."""
ITERATIONS = 12
TIMEOUT_S = 600
SHORT = "sound"
"""Tried with every change; the others with `make contract-long`."""

_LOGGER = logging.getLogger(__name__)


def departments(language: Language) -> list[ResolvedDepartment]:
    """Return the demo's departments that take part, in their order."""
    known = [CmsDepartment.model_validate(d) for d in shipped_departments(language)]
    taking_part = [d for d in known if d.gather_check and d.is_active]
    return sorted(
        (resolve_department(d, NOT_REACHED, "demo/model") for d in taking_part),
        key=lambda department: department.code_dep_number,
    )


@pytest.fixture(scope="module")
def german(
    mongodb_uri: str,
    redis_url: str,
    store_artefacts: StoreArtefacts,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Services]:
    """The demo's services in German, with a graph of their own: it holds vectors of one model alone."""
    folder = store_artefacts.embedding_model("multilingual")
    settings = {"GATHER_BRAIN_EMBEDDING": "multilingual"}
    with (
        running("neo4j", store_artefacts, is_short_lived=True) as neo4j,
        brain_service(tmp_path_factory.mktemp("brain"), neo4j.uri, folder, settings).running() as brain,
        demo_model_service(tmp_path_factory.mktemp("model"), Language.DE).running() as model,
    ):
        yield Services(mongodb_uri, redis_url, neo4j.uri, brain.uri, model.uri)


@pytest.mark.parametrize(
    "department",
    [
        pytest.param(d, marks=() if d.slug == SHORT else pytest.mark.long, id=d.slug)
        for d in departments(Language.DE)
    ],
)
async def test_a_german_department_reaches_its_threshold(
    german: Services, new_harness: NewHarness, department: ResolvedDepartment, tmp_path: Path
) -> None:
    """That of the demo CMS, with the German film's notes in place and a brain that reads German."""
    harness = new_harness()
    harness.services = german
    harness.document = harness.document.model_copy(update={"departments": [department]})
    film = read_project(Language.DE).model_copy(update={"project_id": harness.project_id})
    await seed_mongodb(german.mongodb_uri, film)
    async with BrainClient(german.brain_uri, BRAIN_KEY) as brain:
        await seed_brain(brain, film)
    ended = harness.start(0, ITERATIONS).wait(TIMEOUT_S)
    assert ended.exit_code == 0, ended.messages()
    result = ended.result
    assert result is not None
    _LOGGER.info(
        "%s: %d iterations, %d notes, %.1f of %.0f, scores %s", department.slug, result.iterations,
        result.items_created, result.quality_score, department.threshold, harness.checkpoint()["scores"],
    )  # fmt: skip
    assert result.reason is StopReason.THRESHOLD_REACHED
    assert result.quality_score >= department.threshold
