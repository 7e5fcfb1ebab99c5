"""Clients that public generators make of the door's document: they compile."""

import logging
from pathlib import Path

import pytest

from gather_bridge.http_door.door_document import build_document
from tests.support.published_documents.client_generators import ClientGenerator, chosen, generate

log = logging.getLogger(__name__)


@pytest.mark.parametrize("generator", chosen(), ids=lambda each: each.name)
def test_a_generated_client_of_the_door_compiles(generator: ClientGenerator, tmp_path: Path) -> None:
    """By the same commands as the brain's; what they answer, the samples' tests show."""
    client = generate(generator, build_document(), tmp_path, calls=False)
    log.info(
        "%s: %d lines of the door's client, compiled in %.1f s",
        generator.name, client.lines, client.times_s["check"],
    )  # fmt: skip
    assert client.lines > 300
