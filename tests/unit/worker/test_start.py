"""A worker's start imports and builds only what its first request to the model needs."""

import json
import subprocess
import sys
from functools import cache
from typing import Any, Final

import pytest

LATER: Final = (
    "celery",
    "gather_worker.calibrate",
    "gather_worker.check",
    "gather_worker.llm.reading",
    "gather_worker.llm.salvage",
    "gather_worker.services.evaluation",
    "opentelemetry.sdk",
    "tiktoken",
    "typer",
)
"""Needed after the first answer, at the end, or by other commands."""
PROGRAM: Final = """
import json, re, sys
import gather_worker.main, gather_worker.cli.run
from pydantic import BaseModel

def kinds(of):
    for each in of.__subclasses__():
        yield each
        yield from kinds(each)

ours = [each for each in kinds(BaseModel) if each.__module__.startswith("gather_")]
print(json.dumps({
    "modules": sorted(sys.modules),
    "reading_sources": sorted(e.__name__ for e in ours if e.model_config.get("use_attribute_docstrings")),
    "built": sorted(e.__name__ for e in ours if e.__pydantic_complete__),
}))
"""


@cache
def started() -> dict[str, Any]:
    """Return what a process has that has imported all that a run's start does."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, timeout=120)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", LATER)
def test_what_is_needed_later_is_not_imported(name: str) -> None:
    """Each costs every start of a worker some milliseconds."""
    assert not [each for each in started()["modules"] if each == name or each.startswith(f"{name}.")]


def test_no_model_reads_its_own_source() -> None:
    """Descriptions are for schemas, which no worker publishes."""
    assert started()["reading_sources"] == []


@pytest.mark.parametrize("name", ["AutomationComplete", "Affinity"])
def test_models_are_built_when_they_are_first_used(name: str) -> None:
    """Not so the brain's bodies: FastAPI makes pydantic warn of those that are not built."""
    assert name not in started()["built"]
