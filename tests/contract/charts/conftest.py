"""The charts, rendered by the real Helm."""

import functools
import os
import pickle
import re
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
START_OF_DOCUMENT = re.compile(r"^---$", re.MULTILINE)
NO_COLLECTION = {"GOGC": "off"}
"""Helm lives for a tenth of a second, of which collecting garbage was a third."""
Rendered = list[dict[str, Any]]
Render = Callable[..., Rendered]


@pytest.fixture(scope="session")
def helm() -> Callable[[Sequence[str]], subprocess.CompletedProcess[str]]:
    """Return a function that runs Helm without any cluster."""
    cache = Cache.from_environment()
    ensure_programs([HELM], cache, Reporter())
    program = HELM.folder(cache) / "helm"
    environment = {**os.environ, **own_folders(cache), **NO_COLLECTION, "KUBECONFIG": os.devnull}

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
        texts = START_OF_DOCUMENT.split(rendered(chart, release or chart, settings, values))
        return [document for document in map(_document, texts) if document]

    return render


def _document(text: str) -> Any:
    """Return a document of its own for each caller; most are in every rendering, the long CRD too."""
    return pickle.loads(_pickled(text))  # noqa: S301 - made here


@functools.cache
def _pickled(text: str) -> bytes:
    # The loader in C, safe too: the pure one takes a second for the CRD.
    return pickle.dumps(yaml.load(text, Loader=yaml.CSafeLoader))
