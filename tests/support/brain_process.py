"""A brain as it runs in its pod, outside of a cluster: a process of its own, for tests and benchmarks."""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import httpx

from dev.stores import HOST, Store, free_port
from gather_brain.auth.api_keys import key_hash
from gather_brain.limits.policy import LIMIT_NAMES

BRAIN_KEY = "gather_" + "w" * 43 + "_" + hashlib.sha256(b"w" * 43).hexdigest()[:8]
"""A service key for throw-away brains."""
UNLIMITED = {name: {"per_minute": 100_000, "burst": 100_000} for name in LIMIT_NAMES}
PROBE_TIMEOUT_S = 5
BRAIN = str(Path(sys.executable).with_name("gather-brain"))
NO_SETTINGS: Mapping[str, str] = MappingProxyType({})


def http_answers(uri: str, path: str = "/readyz") -> bool:
    """Tell whether a service says at `path` that it is ready."""
    try:
        return httpx.get(f"{uri}{path}", timeout=PROBE_TIMEOUT_S).is_success
    except httpx.HTTPError:
        return False


def brain_environment(folder: Path, neo4j_uri: str, model_dir: Path) -> dict[str, str]:
    """Return the environment of a brain that knows `BRAIN_KEY`; its keys file is written into `folder`.

    The key limits nothing that one caller can ask.
    """
    keys = folder / "keys.json"
    entry = {"name": "worker", "sha256": key_hash(BRAIN_KEY), "projects": ["*"], "limits": UNLIMITED}
    keys.write_text(json.dumps([entry]), encoding="utf-8")
    return {
        "NEO4J_URI": neo4j_uri,
        "GATHER_BRAIN_HOST": HOST,
        "GATHER_BRAIN_PORT": str(free_port()),
        "GATHER_BRAIN_KEYS_FILE": str(keys),
        "GATHER_BRAIN_MODEL_DIR": str(model_dir),
        "GATHER_BRAIN_DRAIN_S": "0",  # nobody else has to hear that it goes
        "GATHER_SECRETS_DIR": str(folder / "none"),
    }


def brain_of(folder: Path, environment: Mapping[str, str]) -> Store:
    """Describe a brain with this environment, which logs into `folder`."""
    uri = f"http://{HOST}:{environment['GATHER_BRAIN_PORT']}"
    return Store("Brain", uri, folder, [*environment_command(environment), BRAIN, "serve"], http_answers)


def brain_service(
    folder: Path, neo4j_uri: str, model_dir: Path, settings: Mapping[str, str] = NO_SETTINGS
) -> Store:
    """Describe a brain that knows `BRAIN_KEY`, with environment variables over its defaults."""
    return brain_of(folder, {**brain_environment(folder, neo4j_uri, model_dir), **settings})


def environment_command(variables: Mapping[str, str]) -> list[str]:
    """Return the beginning of a command line that sets environment variables."""
    return ["env", *(f"{name}={value}" for name, value in variables.items())]


def script(name: str) -> str:
    """Return where a console script of this installation is."""
    return str(Path(sys.executable).with_name(name))
