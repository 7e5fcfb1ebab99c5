"""The charts, rendered by the real Helm."""

import functools
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from dev.artefacts.cache import Cache
from dev.artefacts.go_programs import HELM, ensure_programs
from dev.cluster.kubectl import own_folders
from dev.paths import ROOT
from dev.progress import Reporter

CHARTS = ROOT / "charts"
Rendered = list[dict[str, Any]]
Render = Callable[..., Rendered]


@pytest.fixture(scope="session")
def helm() -> Callable[[Sequence[str]], subprocess.CompletedProcess[str]]:
    """Return a function that runs Helm without any cluster."""
    cache = Cache.from_environment()
    ensure_programs([HELM], cache, Reporter())
    program = HELM.folder(cache) / "helm"
    environment = {**os.environ, **own_folders(cache), "KUBECONFIG": os.devnull}

    def run(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(program), *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment,
        )

    return run


@pytest.fixture(scope="session")
def render(helm: Callable[[Sequence[str]], subprocess.CompletedProcess[str]]) -> Render:
    """Return a function that renders a chart with its development values, a file of others and some more."""

    @functools.cache
    def rendered(chart: str, release: str, settings: tuple[str, ...], values: Path | None) -> str:
        done = helm([
            "template", release, str(CHARTS / chart), "--namespace", "film",
            "--values", str(CHARTS / chart / "values-dev.yaml"),
            *(("--values", str(values)) if values else ()),
            *(part for setting in settings for part in ("--set-json", setting)),
        ])  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout

    def render(
        chart: str, *settings: str, release: str | None = None, values: Path | None = None
    ) -> Rendered:
        text = rendered(chart, release or chart, settings, values)
        # The loader in C, safe too: the pure one takes a second for the CRD.
        return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]

    return render
