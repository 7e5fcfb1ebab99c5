"""Settings that can never work, in whole workers: each is named, and none is taken for what passes."""

import os
import socket
import subprocess

import pytest

from dev.service_process import ServiceProcess, script
from gather_contracts.result import StopReason
from tests.support.worker_harness import WorkerHarness


def test_a_judge_that_the_endpoint_does_not_have_exits_64(harness: WorkerHarness) -> None:
    """Before anything is paid for; else the brain's own measures would stand in for its verdicts."""
    ended = harness.run(0, 3, GATHER_JUDGE_MODEL="openai/gpt 5-mini")
    assert ended.exit_code == 64, ended.messages()
    assert ended.result is not None
    assert (ended.result.reason, ended.result.cost_usd) == (StopReason.INVALID_INPUT, 0)
    assert ended.result.message.startswith(
        "GATHER_JUDGE_MODEL: the endpoint has no model openai/gpt 5-mini; near are openai/gpt-4o-mini"
    )
    assert harness.items() == []


def test_an_address_of_mongodb_that_is_none_exits_64(harness: WorkerHarness) -> None:
    """No attempt could do better."""
    ended = harness.run(0, 3, MONGODB_URI="mongodb://gather:hunter2@host:port/")
    assert ended.exit_code == 64
    assert ended.result is not None
    assert ended.result.message == "settings: MONGODB_URI: it is malformed (ValueError)"


def key_of_another_project(brain: ServiceProcess) -> str:
    """Make a key that opens one project, and none of the tests'."""
    made = subprocess.run(
        [script("gather-brain"), "keys", "create", "--project", "f" * 24, "--name", "another"],
        env={"PATH": os.environ["PATH"], **brain.environment},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return made.stdout.strip()


@pytest.mark.parametrize("kind", ["unknown", "of another project"])
def test_a_brain_that_refuses_the_key_costs_no_attempt(
    harness: WorkerHarness, brain_store: ServiceProcess, kind: str
) -> None:
    """The department is done and says what to change; its notes wait for the project's next worker."""
    key = "no-such-key" if kind == "unknown" else key_of_another_project(brain_store)
    ended = harness.run(0, 1, BRAIN_SERVICE_API_KEY=key)
    assert ended.exit_code == 0, ended.messages()
    assert ended.result is not None
    assert "notes are not indexed: BRAIN_SERVICE_API_KEY: " in ended.result.message
    assert len(harness.checkpoint()["unindexed"]) == len(harness.items()) > 0
    assert harness.node_ids() == set()
    if kind == "unknown":
        return
    assert harness.run(1, 1).exit_code == 0
    assert {item["_id"] for item in harness.items()} == harness.node_ids()


def test_a_model_that_is_slower_than_the_setting_allows_names_it(harness: WorkerHarness) -> None:
    """In the result, which the operator shows while the next attempt waits."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        ended = harness.run(0, 1, GATHER_LLM_BASE_URL=url, GATHER_LLM_TIMEOUT_S="1")
    assert ended.exit_code == 75, ended.messages()
    assert ended.result is not None
    assert ended.result.reason is StopReason.MODEL_UNAVAILABLE
    assert "model anthropic/claude-sonnet-4.5: " in ended.result.message
    assert "no whole answer within 1 s" in ended.result.message
    assert ended.result.message.endswith("see GATHER_LLM_TIMEOUT_S")
