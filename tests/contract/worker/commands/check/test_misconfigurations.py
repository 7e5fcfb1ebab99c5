"""`gather-worker check`: misconfigurations, seeded one by one, are named with their fix.

MongoDB (with users), Redis (with users) and Celery are real; the brain, the model and the CMS are scripted.
"""

from collections.abc import Callable
from typing import Final

import pytest

from tests.support.application.celery_consumer import SAMPLE_TASK
from tests.support.application.check_world import (
    BRAIN_CALL,
    CMS_KEY,
    DEPARTMENTS,
    EMBEDDINGS,
    MODEL,
    NO_KEY,
    NOWHERE,
    PAGE,
    PASSWORD,
    QUEUE,
    SEVEN,
    Report,
    World,
    answer,
    capped,
    cut_answer,
    listed,
    mongodb_user,
    no_rights,
    redis_user,
    run_text,
    secret,
    unique_index,
    unknown_validator_field,
    variable,
    view,
)
from tests.support.application.scripted_http import Answer

MISCONFIGURATIONS: Final[dict[str, tuple[Callable[[World], None], int, str, str, str]]] = {
    # what is wrong: how it is made, exit code, the finding's name, a part of its text, a part of its fix
    "mongodb: nothing there": (
        secret("MONGODB_URI", f"mongodb://{NOWHERE}/"), 75, "MongoDB", "cannot be reached", "host, port"),
    "mongodb: host has no address": (
        secret("MONGODB_URI", "mongodb://mongo.invalid/"), 75, "MongoDB", "mongo.invalid", "host, port"),
    "mongodb: address malformed": (
        secret("MONGODB_URI", f"mongodb://gather:{PASSWORD}@@x/"), 64, "MongoDB", "malformed", "%-codes"),
    "mongodb: wrong password": (
        mongodb_user("gather", "wrong-password-1"), 64, "MongoDB", "does not accept", "authSource"),
    "mongodb: unknown user": (mongodb_user("stranger"), 64, "MongoDB", "does not accept", "create the user"),
    "mongodb: may only read": (
        no_rights, 64, "MongoDB rights", "insert on gather, update on gather", "the role readWrite"),
    "mongodb: may do nothing": (mongodb_user("nobody"), 64, "MongoDB rights", "find on gather", "readWrite"),
    "mongodb: validator refuses our notes": (
        unknown_validator_field, 64, "MongoDB gather", "approvedBy (required); createdAt (bsonType: string)",
        "collMod"),
    "mongodb: unique index on another field": (
        unique_index, 64, "MongoDB gather", "projectId_1 (projectId)", "drop them"),
    "mongodb: gather is a view": (view, 64, "MongoDB gather", "is a view", "rename"),
    "mongodb: gather is capped": (capped, 0, "MongoDB gather", "capped", "ordinary collection"),
    "brain: down": (
        variable("BRAIN_SERVICE_BASE_URL", f"http://{NOWHERE}"), 0, "Brain", "cannot be reached",
        "BRAIN_SERVICE_BASE_URL"),
    "brain: something else answers": (answer("/readyz", PAGE), 0, "Brain", "something else", "BASE_URL"),
    "brain: not ready": (
        answer("/readyz", Answer({"status": "unavailable", "model": "m", "neo4j": "not reachable"}, 503)),
        0, "Brain", "unavailable: not reachable", "wait for it"),
    "brain: wrong key": (
        answer(BRAIN_CALL, NO_KEY), 0, "Brain key", "refuses the key", "BRAIN_SERVICE_API_KEY"),
    "brain: key of another project": (
        answer(BRAIN_CALL, Answer({"error": "not_found", "message": "No such project."}, 404)),
        0, "Brain key", "not for the project", "give the key this project"),
    "brain: another embedding model": (
        answer(BRAIN_CALL, Answer({"similarities": [0.4], "model": "e5-base", "total_time_ms": 1})),
        0, "Brain model", "no calibration of duplicates for the embeddings of e5-base",
        "gather-worker calibrate"),
    "brain: low limit": (
        answer(BRAIN_CALL, Answer({"similarities": [0.4], "model": EMBEDDINGS, "total_time_ms": 1},
                                  headers={"X-RateLimit-Limit": "5"})),
        0, "Brain key", "only for 5 searches a minute", "give the key 30"),
    "redis: nothing there": (
        secret("REDIS_URL", f"redis://{NOWHERE}/0"), 0, "Redis", "cannot be reached", "REDIS_URL"),
    "redis: address malformed": (secret("REDIS_URL", "localhost:6379"), 0, "Redis", "malformed", "redis://"),
    "redis: wrong password": (
        redis_user("gather", "wrong-password-2"), 0, "Redis", "does not accept", "password in REDIS_URL"),
    "redis: may only read": (redis_user("reader"), 0, "Redis", "may not run", "ACL SETUSER"),
    "redis: other keys": (redis_user("elsewhere"), 0, "Redis", "may not run", "~automated-gather:*"),
    "model: nothing there": (
        variable("GATHER_LLM_BASE_URL", f"http://{NOWHERE}/v1"), 75, "Model endpoint", "cannot be reached",
        "GATHER_LLM_BASE_URL"),
    "model: address is a page": (
        answer("/v1/models", PAGE), 64, "Model endpoint", "a page instead", "ends with its"),
    "model: address is none": (
        variable("GATHER_LLM_BASE_URL", "openrouter.ai"), 64, "Model endpoint", "not an http", "mend"),
    "model: redirect": (
        answer("/v1/models", Answer("moved", 301, {"Location": "https://elsewhere"})), 64, "Model endpoint",
        "redirect", "where it leads"),
    "model: key refused": (
        answer("/v1/models", NO_KEY), 64, "Model key", "refuses the key (401)", "OPENROUTER_API_KEY"),
    "model: unknown": (
        answer("/v1/models", Answer({"data": [{"id": "anthropic/claude-sonnet-4"}]})), 64, f"Model {MODEL}",
        "no such model", "anthropic/claude-sonnet-4,"[:-1]),
    "model: takes no schema": (
        answer("/v1/models", listed(supported_parameters=["temperature"])), 64, f"Model {MODEL}",
        "no JSON schema", "structured_outputs"),
    "model: window too small": (
        answer("/v1/models", listed(context_length=8192)), 64, f"Model {MODEL}", "window of 8,192",
        "GATHER_LLM_MAX_TOKENS"),
    "model: answers too short": (
        answer("/v1/models", listed(top_provider={"max_completion_tokens": 4096})), 0, f"Model {MODEL}",
        "at most 4,096", "GATHER_LLM_MAX_TOKENS to 4096"),
    "model: no price": (
        answer("/v1/models", listed(pricing=None)), 0, "Price", "names none", "PRICE_INPUT"),
    "cms: wrong key": (
        answer(DEPARTMENTS, NO_KEY), 64, "CMS", "refuses the key (401), sent as users API-Key KEY",
        "PAYLOAD_API_KEY, or GATHER_CMS_AUTHORIZATION"),
    "cms: key in another form": (
        answer(DEPARTMENTS, Answer(SEVEN, authorization=f"Bearer {CMS_KEY}")), 64, "CMS",
        "it takes it as Bearer KEY", "set GATHER_CMS_AUTHORIZATION to Bearer"),
    "cms: form malformed": (
        variable("GATHER_CMS_AUTHORIZATION", "users API-key"), 64, "Settings", "GATHER_CMS_AUTHORIZATION",
        "set it"),
    "cms: more than one answer holds": (
        cut_answer, 0, "CMS", "10 departments, as many as GATHER_CMS_LIMIT lets through", "GATHER_CMS_PAGING"),
    "cms: another application": (
        answer(DEPARTMENTS, PAGE), 64, "CMS", "without a list", "NEXT_PUBLIC_APP_URL"),
    "cms: no department ticked": (
        answer(DEPARTMENTS, Answer({"docs": []})), 0, "CMS", "no department", "gatherCheck"),
    "run file: malformed": (run_text('{"run": 1'), 64, "Run", "malformed", "run.json"),
    "run file: absent": (
        lambda world: world.arguments.extend(["--run-file", "/nowhere/run.json"]), 64, "Run",
        "cannot be read", "run.json"),
    "project: malformed": (
        lambda world: world.arguments.extend(["--project", "x"]), 64, "Run", "24 hexadecimal", "run.json"),
    "secret: not UTF-8": (
        secret("MONGODB_URI", b"\xff\xfe\x00"), 64, "Settings", "MONGODB_URI", "worker's Secret"),
    "secret: missing": (secret("MONGODB_URI", ""), 64, "Settings", "MONGODB_URI", "worker's Secret"),
    "setting: wrong": (
        variable("GATHER_JUDGE_REPEATS", "2"), 64, "Settings", "GATHER_JUDGE_REPEATS", "set it"),
}  # fmt: skip


@pytest.mark.parametrize("wrong", MISCONFIGURATIONS)
def test_a_misconfiguration_is_named_with_its_fix(
    world: World, check: Callable[[], Report], wrong: str
) -> None:
    """In the one finding that it belongs to, and no secret is shown."""
    make, code, name, text, fix = MISCONFIGURATIONS[wrong]
    make(world)
    report = check()
    named = [f for f in report.of("warn", "fail") if f["name"] == name]
    assert any(text in f["finding"] and fix in f["fix"] for f in named), report.text
    assert report.code == code, report.text
    assert {f["name"] for f in report.of("fail")} <= {name}, report.text
    shown = [PASSWORD, "wrong-password", *map(str, world.secrets.values())]
    assert not [each for each in shown if len(each) > 20 and each in report.text]
    assert PASSWORD not in report.text


BROKEN_EVALUATIONS: Final[dict[str, tuple[Callable[[World], None], str, str, str]]] = {
    "broker: nothing there": (
        secret("CELERY_BROKER_URL", f"redis://{NOWHERE}/0"), "Celery broker", "cannot be used",
        "CELERY_BROKER_URL"),
    "broker: task unknown": (
        variable("GATHER_EVALUATION_TASK", "evaluate_department"), "Evaluation task",
        "no worker on the queue knows",
        f"set GATHER_EVALUATION_TASK to {SAMPLE_TASK}"),
    "broker: no worker on the queue": (
        variable("GATHER_EVALUATION_QUEUE", "elsewhere"), "Evaluation task",
        f"no running worker takes from the queue elsewhere; there are {QUEUE}", "--queues elsewhere"),
}  # fmt: skip


@pytest.mark.usefixtures("application")
@pytest.mark.parametrize("wrong", BROKEN_EVALUATIONS)
def test_an_evaluation_that_would_not_arrive_is_named(
    world: World, check: Callable[[], Report], wrong: str
) -> None:
    """Runs go on without: exit code 0, and 64 if all is wanted."""
    make, name, text, fix = BROKEN_EVALUATIONS[wrong]
    world.set_run()
    make(world)
    report = check()
    assert len(report.of("fail")) == 1, report.text
    (found,) = report.of("fail")
    assert (found["name"], report.code) == (name, 0), report.text
    assert text in found["finding"]
    assert fix in found["fix"]
    world.arguments.append("--strict")
    assert check().code == 64
