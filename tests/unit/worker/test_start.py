"""A worker's start imports and builds only what its first request to the model needs."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import pytest

from gather_worker import first_answer
from gather_worker.duplicates.word_overlap import copy_key

LATER: Final = (
    "celery",
    "click",
    "gather_clients.wording.differences",
    "gather_clients.wording.telling_words",
    "gather_worker.calibrate",
    "gather_worker.check",
    "gather_worker.duplicates.calibration",
    "gather_worker.duplicates.excerpts",
    "gather_worker.duplicates.rules",
    "gather_worker.llm.access.stream_join",
    "gather_worker.llm.asking.limits_in_words",
    "gather_worker.llm.reading",
    "gather_worker.llm.salvage",
    "gather_worker.services.evaluation",
    "gather_worker.steps.deduplicating",
    "opentelemetry.sdk",
    "rich",
    "tiktoken",
    "typer",
)
"""Needed after the first answer, at the end, or by other commands."""
MODULES_MAX: Final = 167
"""Of all rooms, packages included."""
PROGRAM: Final = """
import json, re, sys
import gather_worker.main, gather_worker.cli.run, gather_worker.department_run
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


DRIVERS: Final = ("bson", "pymongo", "redis", "gather_worker.llm.gateway", "gather_worker.steps.pipeline")
"""A third of what a worker imports; the brain is asked before."""


def test_the_brain_is_asked_before_the_drivers_are_imported() -> None:
    """It answers meanwhile."""
    program = "import json, sys, gather_worker.main, gather_worker.cli.run; print(json.dumps([*sys.modules]))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=120)
    assert not set(DRIVERS) & set(json.loads(done.stdout))


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


def test_no_more_of_our_own_modules_than_needed() -> None:
    """Each is half a millisecond to three; a change that needs another one raises the number."""
    ours = [each for each in started()["modules"] if each.startswith("gather_")]
    assert len(ours) <= MODULES_MAX, ours


def test_what_is_made_ready_later_can_be() -> None:
    """A thread would fail unseen; what it has made is remembered."""
    assert set(first_answer.LATER) <= set(LATER)
    texts = ["A note that no other test compares.", "Nor this one."]
    first_answer.make_ready(texts)
    known = copy_key.cache_info().hits
    assert set(first_answer.LATER) <= sys.modules.keys()
    assert all(map(copy_key, texts))
    assert copy_key.cache_info().hits == known + len(texts)


def test_it_is_made_ready_once() -> None:
    """However many requests a worker sends."""
    made = list[Sequence[str]]()
    with patch.object(first_answer, "make_ready", made.append):
        first = first_answer.FirstAnswer()
        first.begin(["a"])
        first.begin(["b"])
        for thread in threading.enumerate():
            if thread is not threading.current_thread() and thread.name == first_answer.THREAD:
                thread.join()
    assert made == [["a"]]


def test_no_model_reads_its_own_source() -> None:
    """Descriptions are for schemas, which no worker publishes."""
    assert started()["reading_sources"] == []


@pytest.mark.parametrize(
    "name", ["AutomationComplete", "Affinity", "CmsDepartment", "GatherItem", "PriceLimit", "QualityVerdict"]
)
def test_models_are_built_when_they_are_first_used(name: str) -> None:
    """Not so the brain's bodies: FastAPI makes pydantic warn of those that are not built."""
    assert name not in started()["built"]
