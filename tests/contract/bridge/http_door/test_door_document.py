"""The door's document and its page, and schemathesis against them: what is published is what is answered."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

from openapi_spec_validator import validate

from dev.generate.openapi import DOOR_DOCUMENT
from dev.paths import ROOT
from tests.support.doors.doors_api import DoorsApi
from tests.support.doors.http_door import (
    PROJECT,
    SERVICE_KEY,
    UNLIMITED,
    ServedDoor,
    ServeDoor,
    entry,
    write_keys,
)

EXAMPLES: Final = os.environ.get("GATHER_SCHEMATHESIS_EXAMPLES", "2")
TIMEOUT_S: Final = 300
HERE: Final = str(Path(__file__).parent)
CONFIG: Final = """\
hooks = "door_schemathesis_hooks"
request-timeout = 60
continue-on-failure = true
[generation]
with-security-parameters = false
[parameters]
"body.project_id" = {{ dictionary = "projects", probability = 1.0 }}
"body.callback_url" = {{ dictionary = "addresses", probability = 0.9 }}
"path.task_id" = {{ dictionary = "tasks", probability = 0.5 }}
[dictionaries.projects]
values = ["{project}"]
[dictionaries.addresses]
values = ["https://app.example/callbacks"]
[dictionaries.tasks]
values = ["{task}"]
[auth.openapi.apiKey]
api_key = "{key}"
"""


async def test_schemathesis_finds_nothing(
    serve_door: ServeDoor, kubernetes: DoorsApi, keys_file: Path, tmp_path: Path
) -> None:
    """Valid and invalid data, in every phase; the door stays well.

    A deleted task can still be read, and `submit` is an id as well, so that it has DELETE.
    """
    write_keys(keys_file, entry("service", SERVICE_KEY, "*", limits=UNLIMITED))
    async with serve_door() as door:
        task = await door.submitted(key=SERVICE_KEY)
        config = CONFIG.format(project=PROJECT, key=SERVICE_KEY, task=task)
        (tmp_path / "schemathesis.toml").write_text(config)
        done = await asyncio.to_thread(_run, door.url, tmp_path)
        assert (await door.call("GET", "/healthz")).status_code == 200
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["complete"], report["failures"], report["errors"]) == (True, [], [])
    assert report["operations"]["tested"] == report["operations"]["total"] == 4
    assert len(kubernetes.runs()) > 1


async def test_the_document_and_its_page_need_no_key_and_no_internet(door: ServedDoor) -> None:
    """OpenAPI 3.0, as it is committed, and a page whose every address is of the door."""
    document = (await door.call("GET", "/api/v1/openapi.json", key=None)).json()
    validate(document)
    assert document["openapi"].startswith("3.0.")
    assert document == json.loads((ROOT / DOOR_DOCUMENT).read_text())
    page = await door.call("GET", "/api/v1/docs", key=None)
    assert "Gather tasks" in page.text
    assert "://" not in page.text
    for name in ("swagger-ui-bundle.js", "swagger-ui.css", "start.js"):
        assert (await door.call("GET", f"/api/v1/docs/{name}", key=None)).status_code == 200


def _run(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command: list[Any] = [
        Path(sys.executable).with_name("schemathesis"), "run", f"{url}/api/v1/openapi.json",
        "--checks", "all", "--exclude-checks", "use_after_free,allow_header_conformance",
        "--mode", "all", "--max-examples", EXAMPLES,
        "--report", "json", "--report-json-path", folder / "report.json",
    ]  # fmt: skip
    return subprocess.run(
        command, cwd=folder,
        env={**os.environ, "PYTHONPATH": HERE, "NO_COLOR": "1"}, capture_output=True, text=True,
        timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
