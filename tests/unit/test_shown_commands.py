"""Every command that the documentation shows is one, or says why no test tries it."""

import subprocess
from pathlib import Path
from typing import Final

import pytest

from dev.paths import ROOT
from tests.support.shown_commands.command_check import check_line
from tests.support.shown_commands.shown_lines import Shown, blocks_and_prose, commands_of, shown_in

HISTORY: Final = {"CHANGELOG.md"}
"""It names commands that there were."""
PAGES: Final = sorted(
    page
    for folder in ("*.md", "docs/**/*.md", "charts/*/README.md")
    for page in ROOT.glob(folder)
    if page.name not in HISTORY and "node_modules" not in page.parts
)


def failure(shown: Shown) -> str:
    """What is wrong with a command, or nothing."""
    try:
        check_line(shown.text, is_whole=shown.is_whole)
    except Exception as error:  # noqa: BLE001 - each program's parser has its own
        return f"{shown.page}:{shown.line}: {shown.text}: {type(error).__name__}: {error}"
    return ""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_can_be_run_as_it_stands(page: Path) -> None:
    """Its program takes its words; targets, modules, files, values and addresses are there."""
    assert [wrong for shown in shown_in(page) if (wrong := failure(shown))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_shell_reads_every_block(page: Path) -> None:
    """Quotes, brackets and pipes."""
    blocks, _ = blocks_and_prose(page.read_text("utf-8"))
    script = "\n".join(text for block in blocks for _, text in commands_of(block))
    read = subprocess.run(
        ["bash", "-n"], input=script, capture_output=True, text=True, timeout=60, check=False
    )
    assert read.stderr == ""


def test_there_are_hundreds_of_them() -> None:
    """So that pages whose commands are no longer seen are noticed."""
    found = [shown for page in PAGES for shown in shown_in(page)]
    assert len([shown for shown in found if shown.is_whole]) > 150
    assert len([shown for shown in found if not shown.is_whole]) > 150


@pytest.mark.parametrize(
    "line",
    [
        "make demonstrate",
        "make demo NAMESPACE=x",
        'make bench ARGS="--onyl duplicates"',
        'make bench-webhooks ARGS="--parts load"',
        'make coverage-report ARGS="--markdwon"',
        "make dev-brain ARGS=--prot",
        "python -m dev stat",
        "python -m dev.generate.crd",
        "python -m dev status --deep",
        "gather status RUN --deep",
        "gather look",
        "gather-worker preview --run-flie run.json",
        "gather-worker sync",
        "gather-bridge tokens make",
        "gather-operator releases",
        "gather-brain keys show",
        "kubectl -n gather get deploys",
        "kubectl logs deploy/gather-brian",
        "kubectl -n gather get pods -l app=gather",
        "kubectl get pods --wide",
        "kubectl explain gatherrun.spec.departmens",
        "kubectl patch gatherrun NAME --type=merge -p '{'",
        "kubectl -n gather exec deploy/gather-brain -- gather-brain keys lst",
        "helm rollback other",
        "helm install gather charts/gater",
        "helm install gather charts/gather --values examples/values/produktion.yaml",
        "helm upgrade gather charts/gather --set doors.celery.maxRuns=1",
        "curl http://brain/api/v1/nods",
        "docker build -f worker/Dockerfile --build-arg BSAE=x -t t .",
        "kubectl get pods | jk",
        'export KEY="$(gather-brain keys mint)"',
        "apt-get install kubernetes",
    ],
)
def test_a_command_that_cannot_be_run_is_seen(line: str) -> None:
    """Else the tests above could not fail."""
    with pytest.raises(Exception):  # noqa: B017, PT011 - each program's parser has its own
        check_line(line)


def test_what_a_block_shows_is_read() -> None:
    """Prompts, output, comments, lines that go on, marks, languages; examples of `--help`."""
    text = """
    make demo        # it's a comment
    pre-commit run   # not tried by a test: it is no program of ours
    kubectl get pods \\
      -o wide
    curl -d '{
      "a": 1}' http://x/y

```
$ make down
output of it
```

```json
{"make": "none"}
```

```
Usage: gather submit [OPTIONS]

  Examples:
    gather submit --project X
```
"""
    blocks, _ = blocks_and_prose(text)
    assert [command for block in blocks for command in commands_of(block)] == [
        (2, "make demo"),
        (4, "kubectl get pods   -o wide"),
        (6, "curl -d '{\n  \"a\": 1}' http://x/y"),
        (10, "make down"),
        (22, "gather submit --project X"),
    ]
