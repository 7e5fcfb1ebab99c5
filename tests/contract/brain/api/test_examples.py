"""The examples of docs/api.md run as they stand, one after the other, against a real brain."""

import os
import re
import subprocess
import sys
from typing import Any, Final

import pytest

from dev.paths import ROOT

REFERENCE: Final = ROOT / "docs" / "api.md"
BLOCK: Final = re.compile(r"^```(sh|python)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)
PROJECT: Final = re.compile(r'"projectId": "([0-9a-f]{24})"')


@pytest.fixture(scope="module")
def environment(brain: Any) -> dict[str, str]:
    """What a reader sets first, with a key for the examples' project."""
    (project,) = set(PROJECT.findall(REFERENCE.read_text(encoding="utf-8")))
    return {
        **os.environ,
        "BRAIN_SERVICE_BASE_URL": brain.url,
        "BRAIN_SERVICE_API_KEY": brain.project_key(project),
    }


def test_every_example_runs(environment: dict[str, str]) -> None:
    """In Python and in a shell, with the answer that the document shows."""
    endpoints = re.split(r"^## ", REFERENCE.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    assert len(endpoints) == 11
    for endpoint in endpoints:
        blocks = BLOCK.findall(endpoint)
        assert [language for language, _ in blocks] == ["sh", "python"], endpoint
        printed = [_run(language, code, environment) for language, code in blocks]
        assert all(printed), endpoint
        if endpoint.startswith(("`POST /api/v1/search/duplicates`", "`GET /api/v1/nodes")):
            assert all("0198c5a0-7b1e-7c40-9a35-5d2f7be0a1c4" in text or "Ada" in text for text in printed)


def _run(language: str, code: str, environment: dict[str, str]) -> str:
    command = ["bash", "-euc", code] if language == "sh" else [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
    return done.stdout
