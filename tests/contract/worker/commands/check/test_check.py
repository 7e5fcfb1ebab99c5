"""`gather-worker check` where nothing is wrong, and what it leaves alone; see `test_misconfigurations.py`."""

import os
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import redis

from dev.service_process import free_port, script
from gather_worker.check.note_rules import sample_note
from tests.support.application.celery_consumer import SAMPLE_TASK
from tests.support.application.check_world import (
    BRAIN_CALL,
    CMS_KEY,
    DEPARTMENTS,
    MODEL,
    NOWHERE,
    PASSWORD,
    QUEUE,
    SEVEN,
    Report,
    World,
)
from tests.support.application.scripted_http import Answer


def test_a_world_that_works_is_told_so_and_is_left_as_it_was(
    world: World, check: Callable[[], Report]
) -> None:
    """No write anywhere: not in MongoDB, not in Redis, and nothing asked of the model but its list."""
    databases = world.client.list_database_names()
    with redis.Redis.from_url(f"redis://{world.redis}/0") as store:
        before = set(store.keys("*gather*"))
        report = check()
        assert set(store.keys("*gather*")) <= before  # what other tests wrote may expire meanwhile
    assert report.code == 0, report.text
    assert report.of("fail") == []
    assert world.client.list_database_names() == databases
    assert {path for _, path, _ in world.http.asked} == {
        "/readyz",
        BRAIN_CALL,
        "/v1/models",
        "/api/departments",
    }
    texts = {finding["name"]: finding["finding"] for finding in report.findings}
    assert texts["Brain key"] == "accepted, 60 searches a minute"
    assert texts["MongoDB gather"].startswith("the collection does not exist yet")
    assert texts["CMS"] == "reached; 7 departments take part"
    assert "10 iterations: " in texts["Cost"]


@pytest.mark.usefixtures("application")
def test_workers_that_know_the_task_are_found(world: World, check: Callable[[], Report]) -> None:
    """A task without a name of its own, on a queue of its own."""
    world.set_run()
    report = check()
    assert report.of("fail") == [], report.text
    (task,) = [f for f in report.findings if f["name"] == "Evaluation task"]
    assert (task["status"], task["finding"]) == (
        "ok",
        f"known to all workers on the queue (1 on {QUEUE}): {SAMPLE_TASK}",
    )


def test_no_worker_at_all_is_a_warning(world: World, check: Callable[[], Report], redis_url: str) -> None:
    """The application's workers may be scaled to none; the message waits."""
    world.set_run()
    world.secrets["CELERY_BROKER_URL"] = redis_url.removesuffix("/0") + "/9"
    report = check()
    (task,) = [f for f in report.findings if f["name"] == "Evaluation task"]
    assert task["status"] == "warn", report.text
    assert "no Celery worker answered" in task["finding"]


def test_the_application_s_validator_takes_our_notes(world: World, check: Callable[[], Report]) -> None:
    """With the fields that it requires and their types, as it makes the collection when it is first."""
    texts = ["projectId", "content", "summary", "context", "createdBy", "imageUrl"]
    properties: dict[str, Any] = {name: {"bsonType": "string"} for name in texts}
    properties |= {
        "createdAt": {"bsonType": "date"},
        "lastUpdated": {"bsonType": "date"},
        "isAutomated": {"bsonType": "bool"},
    }
    properties["automationMetadata"] = {
        "bsonType": "object",
        "properties": {"iteration": {"bsonType": "number"}, "basedOnNodes": {"bsonType": "array"}},
    }
    required = ["projectId", "content", "summary", "context", "createdAt", "createdBy"]
    items = world.with_collection(
        validator={"$jsonSchema": {"bsonType": "object", "required": required, "properties": properties}}
    )
    report = check()
    assert report.of("fail") == [], report.text
    assert items.count_documents({}) == 0
    items.insert_one(sample_note(world.project))  # what was told holds


def test_without_a_project_only_what_belongs_to_none_is_looked_at(
    world: World, check: Callable[[], Report]
) -> None:
    """As the chart's test runs it."""
    world.arguments = ["--model", MODEL]
    world.has_run = False
    world.variables["CELERY_BROKER_URL"] = f"redis://{NOWHERE}/0"
    report = check()
    assert report.code == 0, report.text
    assert {f["name"] for f in report.of("skip")} == {"MongoDB rights"}


@pytest.mark.parametrize("form", ["Bearer", "service-accounts API-Key"])
def test_the_cms_is_asked_as_the_operator_asks_it(
    world: World, check: Callable[[], Report], form: str
) -> None:
    """With the operator's settings: form of the key, limit and paging."""
    world.variables |= {
        "GATHER_CMS_AUTHORIZATION": form,
        "GATHER_CMS_LIMIT": "1000",
        "GATHER_CMS_PAGING": "0",
    }
    world.http.answers[DEPARTMENTS] = Answer(SEVEN, authorization=f"{form} {CMS_KEY}")
    report = check()
    assert report.of("fail") == [], report.text
    assert [sent for _, path, sent in world.http.asked if path == DEPARTMENTS] == [f"{form} {CMS_KEY}"]


def test_a_model_is_asked_only_if_that_is_wanted(world: World, check: Callable[[], Report]) -> None:
    """One request a model; its answer decides what the list does not tell."""
    world.http.answers["/v1/models"] = Answer("no list", 404)
    assert f"Model {MODEL}" in {f["name"] for f in check().of("warn")}
    assert "/v1/chat/completions" not in {path for _, path, _ in world.http.asked}
    said = {"choices": [{"message": {"content": '{"works": true}'}, "finish_reason": "stop"}]}
    world.http.answers["/v1/chat/completions"] = Answer(said)
    world.arguments = ["--ask-model"]
    report = check()
    assert report.code == 0, report.text
    assert [path for _, path, _ in world.http.asked].count("/v1/chat/completions") == 1
    world.http.answers["/v1/chat/completions"] = Answer({"choices": [{"message": {"content": "Yes!"}}]})
    report = check()
    assert report.code == 64
    assert "does not follow the JSON schema" in report.of("fail")[0]["finding"]


def test_the_table_of_a_process_has_no_traceback_and_no_secret(world: World) -> None:
    """Everything wrong at once: one screen, in bounded time."""
    command = world.prepared()
    dead = f"127.0.0.1:{free_port()}"
    environment = {
        **world.variables,
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "MONGODB_URI": f"mongodb://gather:{PASSWORD}@{dead}/",
        "REDIS_URL": f"redis://gather:{PASSWORD}@{dead}/0",
        "BRAIN_SERVICE_BASE_URL": f"http://{dead}",
        "GATHER_LLM_BASE_URL": f"http://{dead}/v1",
        "NEXT_PUBLIC_APP_URL": f"http://{dead}",
    }
    done = subprocess.run(
        [script("gather-worker"), *command], capture_output=True, text=True, timeout=60, check=False,
        env=environment,
    )  # fmt: skip
    assert done.returncode == 75, done.stderr
    assert done.stderr == ""
    assert PASSWORD not in done.stdout
    lines = done.stdout.splitlines()
    assert len(lines) <= 40
    assert [line for line in lines if line.startswith("fail")]
    assert lines[-1].startswith("Runs will not work: ")
