"""A brain as it runs in its pod, outside of a cluster: a process of its own, for tests and benchmarks."""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from dev.stores import HOST, Store, free_port
from gather_brain.limits import LIMIT_NAMES

BRAIN_KEY = "gather_" + "w" * 43 + "_" + hashlib.sha256(b"w" * 43).hexdigest()[:8]
"""A service key for throw-away brains."""
PROBE_TIMEOUT_S = 5


def http_answers(uri: str, path: str = "/readyz") -> bool:
    """Tell whether a service says at `path` that it is ready."""
    try:
        return httpx.get(f"{uri}{path}", timeout=PROBE_TIMEOUT_S).is_success
    except httpx.HTTPError:
        return False


def brain_service(
    folder: Path, neo4j_uri: str, model_dir: Path, settings: Mapping[str, str] | None = None
) -> Store:
    """Describe a brain on `neo4j_uri` that knows `BRAIN_KEY` and limits nothing that one caller can ask.

    `settings` are environment variables over its defaults.
    """
    keys = folder / "keys.json"
    digest = hashlib.sha256(BRAIN_KEY.encode()).hexdigest()
    limits = {name: {"per_minute": 100_000, "burst": 100_000} for name in LIMIT_NAMES}
    entry = {"name": "workers", "sha256": digest, "projects": ["*"], "limits": limits}
    keys.write_text(json.dumps([entry]), encoding="utf-8")
    port = free_port()
    environment = {
        "NEO4J_URI": neo4j_uri,
        "GATHER_BRAIN_HOST": HOST,
        "GATHER_BRAIN_PORT": str(port),
        "GATHER_BRAIN_KEYS_FILE": str(keys),
        "GATHER_BRAIN_MODEL_DIR": str(model_dir),
        "GATHER_SECRETS_DIR": str(folder / "none"),
        **(settings or {}),
    }
    command = [*environment_command(environment), script("gather-brain"), "serve"]
    return Store("Brain", f"http://{HOST}:{port}", folder, command, http_answers)


def environment_command(variables: Mapping[str, str]) -> list[str]:
    """Return the beginning of a command line that sets environment variables."""
    return ["env", *(f"{name}={value}" for name, value in variables.items())]


def script(name: str) -> str:
    """Return where a console script of this installation is."""
    return str(Path(sys.executable).with_name(name))
