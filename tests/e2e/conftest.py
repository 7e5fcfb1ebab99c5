"""The deployed Gather that the end-to-end tests look at: `make e2e` installs it before they start."""

import base64
import json
import os
from collections.abc import Iterator

import pytest

from dev.paths import ROOT
from tests.support.deployed_gather import DeployedGather

NAMESPACE = os.environ.get("GATHER_E2E_NAMESPACE", "gather-e2e")
SLOW_ANSWER_S = 2.0
"""Long enough to meet a worker in the middle of an iteration, short enough for a test of minutes."""


@pytest.fixture(scope="session")
def gather() -> DeployedGather:
    """Return the deployment under test; fails at once, with the command that makes it, if there is none."""
    found = DeployedGather([str(ROOT / "dev" / "kubectl")], NAMESPACE)
    ready = found.kubectl(
        "get", "deployments", "-o", "jsonpath={.items[*].status.readyReplicas}", check=False
    )
    if not ready.split():
        pytest.fail(f"no Gather in namespace {NAMESPACE}: run `python -m dev deploy --namespace {NAMESPACE}`")
    return found


@pytest.fixture(scope="session")
def brain_key(gather: DeployedGather) -> str:
    """Return the key with which the workers call the brain."""
    secret = json.loads(gather.kubectl("get", "secret", "gather-backing-worker", "-o", "json"))
    return base64.b64decode(secret["data"]["BRAIN_SERVICE_API_KEY"]).decode()


@pytest.fixture
def slow_model(gather: DeployedGather) -> Iterator[None]:
    """Let the demo model take its time, so that a fault meets a department in the middle."""
    gather.slow_down_model(SLOW_ANSWER_S)
    yield
    gather.slow_down_model(0)


@pytest.fixture
def cms_down(gather: DeployedGather) -> Iterator[None]:
    """Make the demo CMS unavailable for a test; it is back afterwards, whatever the test did."""
    gather.scale("gather-backing-demo-cms", 0)
    yield
    gather.scale("gather-backing-demo-cms", 1)
    gather.wait_ready("gather-backing-demo-cms")
