"""Rooms as they run in their pods, but outside a cluster: for `python -m dev serve`, tests and benchmarks."""

import hashlib
import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType

from dev.service_process import HOST, ServiceProcess, free_port, http_answers, script
from gather_brain.limits.policy import LIMIT_NAMES
from gather_clients.issued_secrets import secret_hash

BRAIN_KEY = "gather_" + "w" * 43 + "_" + hashlib.sha256(b"w" * 43).hexdigest()[:8]
"""A service key for throw-away brains."""
UNLIMITED = {name: {"per_minute": 100_000, "burst": 100_000} for name in LIMIT_NAMES}
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


def brain_service(
    folder: Path,
    neo4j_uri: str,
    model_dir: Path,
    settings: Mapping[str, str] = NO_SETTINGS,
    ready_path: str = "/readyz",
) -> ServiceProcess:
    """Describe a brain that knows `BRAIN_KEY`, with environment variables over its defaults.

    It logs into `folder`, where its keys file is written. The key limits nothing that one caller can ask.
    """
    keys = folder / "keys.json"
    entry = {"name": "worker", "sha256": secret_hash(BRAIN_KEY), "projects": ["*"], "limits": UNLIMITED}
    keys.write_text(json.dumps([entry]), encoding="utf-8")
    environment = {
        "NEO4J_URI": neo4j_uri,
        "GATHER_BRAIN_HOST": HOST,
        "GATHER_BRAIN_PORT": str(free_port()),
        "GATHER_BRAIN_METRICS_PORT": str(free_port()),
        "GATHER_BRAIN_KEYS_FILE": str(keys),
        "GATHER_BRAIN_MODEL_DIR": str(model_dir),
        "GATHER_BRAIN_DRAIN_S": "0",  # no Service needs time to stop sending requests
        "GATHER_SECRETS_DIR": str(folder / "none"),
        **settings,
    }
    uri = f"http://{HOST}:{environment['GATHER_BRAIN_PORT']}"
    command = [script("gather-brain"), "serve"]
    return ServiceProcess("Brain", uri, folder, command, partial(http_answers, path=ready_path), environment)


def bridge_service(folder: Path, redis_url: str, settings: Mapping[str, str] = NO_SETTINGS) -> ServiceProcess:
    """Describe a bridge that lets anyone listen, with environment variables over its defaults."""
    environment = {
        "REDIS_URL": redis_url,
        "GATHER_BRIDGE_HOST": HOST,
        "GATHER_BRIDGE_PORT": str(free_port()),
        "GATHER_BRIDGE_METRICS_PORT": str(free_port()),
        "GATHER_BRIDGE_ALLOW_ANONYMOUS": "true",
        "GATHER_WEBHOOK_SECRET": "throw-away-webhook-secret",
        "GATHER_SECRETS_DIR": str(folder / "none"),
        **settings,
    }
    uri = f"http://{HOST}:{environment['GATHER_BRIDGE_PORT']}"
    return ServiceProcess("Bridge", uri, folder, [script("gather-bridge")], http_answers, environment)
