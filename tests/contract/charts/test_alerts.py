"""The charts' alerts, tried by the real promtool on series recorded from the processes' own metrics."""

import os
import subprocess
from pathlib import Path

import pytest

from dev.artefacts.cache import Cache
from dev.artefacts.go_programs import PROMTOOL, ensure_programs
from dev.progress import Reporter
from tests.support.alerts.all_alert_cases import CASES
from tests.support.alerts.recorded_series import FILES, written


@pytest.fixture(scope="module")
def promtool() -> Path:
    """The program, out of the cache; `make alerts` builds it, which takes minutes, once."""
    cache = Cache.from_environment()
    if not PROMTOOL.is_built(cache) and "GATHER_BUILD_PROMTOOL" not in os.environ:
        pytest.skip("promtool is not built: make alerts")
    ensure_programs([PROMTOOL], cache, Reporter())
    return PROMTOOL.folder(cache) / "promtool"


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_prometheus_takes_the_rules_without_a_warning(promtool: Path) -> None:
    done = run(promtool, "check", "rules", "--lint=all", "--lint-fatal", *FILES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_when_they_should_and_only_then(promtool: Path, tmp_path: Path) -> None:
    """At their boundaries, at night, beside refusals, strangers and other releases."""
    done = run(promtool, "test", "rules", *written(CASES, tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
