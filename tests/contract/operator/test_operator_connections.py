"""What an operator connects to: what it is given, and nothing else."""

import asyncio
import os
from functools import partial
from pathlib import Path

import pytest

from dev.service_process import HOST, ServiceProcess, free_port, http_answers, script
from tests.contract.operator.conftest import Api
from tests.support.network.connections import Connections, addresses_in


@pytest.fixture
def environment(api: Api, redis_url: str, tmp_path: Path) -> dict[str, str]:
    """What its pod has; neither application nor brain answers."""
    nowhere = f"http://{HOST}:{free_port()}"
    return {
        "PATH": os.environ["PATH"],
        "KUBECONFIG": os.environ["KUBECONFIG"],
        "GATHER_NAMESPACE": "films",
        "GATHER_WORKER_IMAGE": "worker",
        "GATHER_OPERATOR_PORT": str(free_port()),
        "NEXT_PUBLIC_APP_URL": nowhere,
        "GATHER_BRAIN_URL": nowhere,
        "REDIS_URL": redis_url,
        "SCRAPER_API_KEY": "a-key",
        "GATHER_SECRETS_DIR": str(tmp_path / "none"),
    }


async def test_an_operator_connects_to_what_it_is_given(
    api: Api, environment: dict[str, str], tmp_path: Path, connections: Connections
) -> None:
    """The API server and Redis; brain and application, as soon as they are needed; no library's maker."""
    uri = f"http://{HOST}:{environment['GATHER_OPERATOR_PORT']}"
    command = connections.recorded([script("gather-operator")])
    answers = partial(http_answers, path="/healthz")
    process = ServiceProcess("Operator", uri, tmp_path, command, answers, environment)
    named = addresses_in([environment["REDIS_URL"], f"http://{HOST}:{api.port}"])
    await asyncio.to_thread(process.start)
    pid = process.pid
    try:
        async with asyncio.timeout(30):
            while not named <= connections.seen():  # noqa: ASYNC110 - the kernel tells nobody
                await asyncio.sleep(0.05)
    finally:
        await asyncio.to_thread(process.stop)
    assert named <= connections.of(pid) <= named | addresses_in(environment.values())
