"""Schemathesis against the brain on the real Neo4j and the real model: all checks, valid and invalid data.

`make test` runs a small size, `make schemathesis` the full one. All requests name one project that has nodes,
since a batch holds one project's nodes and searches in unknown ones would end at 404; but what is erased is
another one, or there would soon be nothing to find. Generated data leaves
the key alone, since a spoilt one ends at 401; the checks of the key spoil it on their own.
"""

import json
import logging
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx

logger = logging.getLogger(__name__)

EXAMPLES: Final = int(os.environ.get("GATHER_SCHEMATHESIS_EXAMPLES", "8"))
"""Generated requests for each operation in the phase "fuzzing"; "coverage" has a number of its own."""
REQUESTS_MIN: Final = int(os.environ.get("GATHER_SCHEMATHESIS_REQUESTS_MIN", "500"))
TIMEOUT_S: Final = 300 + EXAMPLES * 10
SHOWN_MAX: Final = 4000
PHASES: Final = {"examples", "coverage", "fuzzing", "stateful"}
CONFIG: Final = """\
hooks = "schemathesis_hooks"
continue-on-failure = true
request-timeout = 60
[generation]
with-security-parameters = false
[parameters]
"body.projectId" = {{ dictionary = "projects", probability = 1.0 }}
"body.nodes[*].projectId" = {{ dictionary = "projects", probability = 1.0 }}
"query.projectId" = {{ dictionary = "projects", probability = 1.0 }}
"path.projectId" = {{ dictionary = "erased", probability = 1.0 }}
"query.confirm" = {{ dictionary = "erased", probability = 1.0 }}
[dictionaries.projects]
values = ["{project}"]
[dictionaries.erased]
values = ["{erased}"]
[auth.openapi.apiKey]
bearer = "{key}"
"""


def test_schemathesis_finds_nothing(brain: Any, tmp_path: Path) -> None:
    """No check fails in any phase, and every operation is met with valid and with invalid data."""
    project = secrets.token_hex(12)
    _write_a_node(brain, project)
    (tmp_path / "schemathesis.toml").write_text(
        CONFIG.format(project=project, erased=secrets.token_hex(12), key=brain.service_key)
    )
    done = _run(brain.url, tmp_path)
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert done.returncode == 0, _failed(tmp_path / "events.ndjson") or done.stdout + done.stderr
    assert (report["complete"], report["failures"], report["errors"]) == (True, [], [])
    assert report["operations"]["tested"] == report["operations"]["total"] == 11
    assert {name for name, phase in report["phases"].items() if phase["status"] == "success"} == PHASES
    sent = _sent(tmp_path / "events.ndjson")
    logger.info("requests: %s, of them %s", sum(sent.values()), dict(sorted(sent.items())))
    assert sum(sent.values()) >= REQUESTS_MIN
    assert {(phase, mode) for phase, mode in sent if phase == "coverage"} == {
        ("coverage", "positive"),
        ("coverage", "negative"),
    }
    assert httpx.get(f"{brain.url}/readyz").status_code == 200


def _write_a_node(brain: Any, project: str) -> None:
    node = {"type": "GatherItem", "content": "Ada keeps the lamp.", "projectId": project}
    headers = {"Authorization": f"Bearer {brain.service_key}"}
    httpx.post(
        f"{brain.url}/api/v1/nodes/batch", json={"nodes": [node]}, headers=headers, timeout=60
    ).raise_for_status()


def _run(url: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/api/v1/openapi.json",
        "--checks", "all", "--mode", "all", "--max-examples", str(EXAMPLES), "--phases", ",".join(PHASES),
        "--report", "json,ndjson", "--report-json-path", str(folder / "report.json"),
        "--report-ndjson-path", str(folder / "events.ndjson"),
    ]  # fmt: skip
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


def _sent(events: Path) -> Counter[tuple[str, str]]:
    """Count the requests by phase and by whether their data was valid ("positive") or not."""
    sent: Counter[tuple[str, str]] = Counter()
    for scenario in _scenarios(events):
        for case in scenario["recorder"].get("cases", {}).values():
            meta = case["value"].get("meta")
            sent[scenario["phase"], meta["generation"]["mode"] if meta else "unknown"] += 1
    return sent


def _failed(events: Path) -> list[str]:
    """Return what was sent and what came back where a check failed."""
    failed = []
    for scenario in _scenarios(events):
        recorder = scenario["recorder"]
        for case, checks in recorder.get("checks", {}).items():
            names = [check["name"] for check in checks if check["status"] == "failure"]
            if names:
                exchange = json.dumps(recorder["interactions"][case]["response"])[:SHOWN_MAX]
                failed.append(f"{names} {json.dumps(recorder['cases'][case])[:SHOWN_MAX]} -> {exchange}")
    return failed


def _scenarios(events: Path) -> Iterator[dict[str, Any]]:
    with events.open(encoding="utf-8") as lines:
        yield from filter(None, (json.loads(line).get("ScenarioFinished") for line in lines))
