"""Clients that public generators make of the published document: they compile, and call every operation."""

import logging
from pathlib import Path
from typing import Any

import pytest

from gather_brain.app import published_document
from tests.support.published_documents.client_generators import ClientGenerator, chosen, generate

log = logging.getLogger(__name__)


@pytest.mark.parametrize("generator", chosen(), ids=lambda each: each.name)
def test_a_generated_client_calls_every_operation(
    generator: ClientGenerator, brain: Any, project: str, tmp_path: Path
) -> None:
    """With the bodies that the requirements show, the shortest ones among them; an error has its type."""
    document = published_document()
    client = generate(generator, document, tmp_path, calls=True)
    answers = client.answers(brain.url, brain.service_key, project)
    log.info(
        "%s: installed in %.1f s, generated in %.1f s, %d lines, compiled in %.1f s, %d operations called",
        generator.name, client.times_s["install"], client.times_s["generate"], client.lines,
        client.times_s["check"], len(answers) - 1,
    )  # fmt: skip
    assert answers == {
        "createNodes": "2 75.5",
        "listNodes": "2",
        "getNode": "Another gather item content",
        "findDuplicates": "1 0",
        "findDuplicatesBatch": "1 1",
        "compareTexts": "1",
        "getDepartmentContext": "1 0",
        "analyzeCoverage": "story",
        "readLimits": project,
        "deleteNodes": "1 1",
        "eraseProject": "1",
        "refused": "unauthorized",
    }
    operations = {each["operationId"] for methods in document["paths"].values() for each in methods.values()}
    assert set(answers) - {"refused"} == operations
