"""The demo in each of its languages: with whole workers its departments reach their thresholds."""

import logging
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dev.artefacts.store_binaries import StoreArtefacts
from dev.cli.deploy import EMBEDDINGS
from dev.rooms import BRAIN_KEY, brain_service
from dev.stores import running
from gather_clients.brain_client import BrainClient
from gather_contracts.departments import CmsDepartment, ResolvedDepartment, resolve_department
from gather_contracts.result import StopReason
from gather_demo.cms.cms_api import shipped_departments
from gather_demo.languages import Language
from gather_demo.seed.__main__ import seed_brain, seed_mongodb
from gather_demo.seed.project import read_project
from tests.support.worker_harness import Services, WorkerHarness, demo_model_service, run_document
from tests.support.workers.process_forks import ProcessForks

UNUSED_THRESHOLD = 80.0
"""For departments without one; all of the demo that take part have one."""
ITERATIONS = 12
TIMEOUT_S = 600

pytestmark = pytest.mark.long

_LOGGER = logging.getLogger(__name__)


def departments(language: Language) -> list[ResolvedDepartment]:
    """Return the demo's departments that take part, in their order."""
    known = [CmsDepartment.model_validate(d) for d in shipped_departments(language)]
    resolved = [
        resolve_department(d, UNUSED_THRESHOLD, "demo/model") for d in known if d.gather_check and d.is_active
    ]
    return sorted(resolved, key=lambda department: department.code_dep_number)


SLUGS = tuple(department.slug for department in departments(Language.EN))


@pytest.fixture(scope="module", params=Language)
def language(request: pytest.FixtureRequest) -> Language:
    """One language after the other: its services serve all of its departments."""
    found: Language = request.param
    return found


@pytest.fixture(scope="module")
def spoken(
    language: Language,
    mongodb_uri: str,
    redis_url: str,
    store_artefacts: StoreArtefacts,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Services]:
    """The demo's services in a language, with a graph of their own: it holds vectors of one model alone."""
    embedding: Any = EMBEDDINGS[language]
    folder = store_artefacts.embedding_model(embedding)
    settings = {"GATHER_BRAIN_EMBEDDING": embedding}
    with (
        running("neo4j", store_artefacts, is_short_lived=True) as neo4j,
        brain_service(tmp_path_factory.mktemp("brain"), neo4j.uri, folder, settings).running() as brain,
        demo_model_service(tmp_path_factory.mktemp("model"), language).running() as model,
    ):
        yield Services(mongodb_uri, redis_url, neo4j.uri, brain.uri, model.uri)


@pytest.fixture
def harness(spoken: Services, forks: ProcessForks, tmp_path: Path) -> Iterator[WorkerHarness]:
    """A run of a project of its own, without the services of the other tests."""
    made = WorkerHarness(
        spoken, tmp_path, run_document(uuid.uuid4().hex[:24], str(uuid.uuid4())), forks=forks
    )
    yield made
    made.stop()


def test_the_demo_has_the_same_departments_in_each_language() -> None:
    """So that none is left out below."""
    assert {tuple(each.slug for each in departments(known)) for known in Language} == {SLUGS}


@pytest.mark.parametrize("slug", SLUGS)
async def test_a_department_reaches_its_threshold(
    spoken: Services, harness: WorkerHarness, language: Language, slug: str
) -> None:
    """That of the demo CMS, with the film's notes in place and the brain's model for the language."""
    (department,) = (each for each in departments(language) if each.slug == slug)
    harness.document = harness.document.model_copy(update={"departments": [department]})
    film = read_project(language).model_copy(update={"project_id": harness.project_id})
    await seed_mongodb(spoken.mongodb_uri, film)
    async with BrainClient(spoken.brain_uri, BRAIN_KEY) as brain:
        await seed_brain(brain, film)
    ended = harness.start(0, ITERATIONS).wait(TIMEOUT_S)
    assert ended.exit_code == 0, ended.messages()
    result = ended.result
    assert result is not None
    _LOGGER.info(
        "%s %s: %d iterations, %d notes, %.1f of %.0f", language, department.slug, result.iterations,
        result.items_created, result.quality_score, department.threshold,
    )  # fmt: skip
    assert result.reason is StopReason.THRESHOLD_REACHED
    assert result.quality_score >= department.threshold
