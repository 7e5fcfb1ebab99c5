"""How long `gather status` takes to its first line, beside `kubectl get`: `make bench-cli`.

A real API server, a run of seven departments, the archive that users install, a new process for each call.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from dev.artefacts.cache import Cache
from dev.artefacts.go_programs import KUBERNETES
from dev.package.cli_archive import archive, contents
from dev.progress import Reporter
from gather_contracts import names
from tests.bench.measure import MS_PER_S, spread, this_machine
from tests.bench.report import table
from tests.support.kubernetes.control_plane import ADMIN, ControlPlane, control_plane, kubeconfig

GOAL_MS: Final = 300
NAMESPACE: Final = "default"
RUN: Final = "the-lighthouse-1"
DEPARTMENTS: Final = ("story", "character", "visual", "production", "sound", "music", "editing")
TIMEOUT_S: Final = 60

command = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@command.command()
def first_line(calls: Annotated[int, typer.Option(min=3, help="Of each command.")] = 40) -> None:
    """Measure both in turn; fails only if a command does."""
    reporter = Reporter()
    with tempfile.TemporaryDirectory(prefix="gather-bench-") as folder:
        own = Path(folder)
        with control_plane(own, reporter) as plane:
            make_run(plane)
            kubectl = KUBERNETES.folder(Cache.from_environment()) / "kubectl"
            gather = (sys.executable, unpacked(own / "archive"))
            environment = {
                "PATH": os.environ["PATH"],
                "HOME": folder,
                "KUBECONFIG": str(kubeconfig(own, ADMIN)),
            }
            commands: dict[str, Sequence[str | Path]] = {
                "gather status": (*gather, "status", RUN, "-n", NAMESPACE),
                "kubectl get": (kubectl, "get", f"{names.PLURAL}.{names.GROUP}", RUN, "-n", NAMESPACE),
                "gather version --client": (*gather, "version", "--client"),
                "python -c 'print()'": (sys.executable, "-c", "print()"),
            }
            machine = this_machine()
            walls = measured(commands, environment, calls)
    reporter.say(
        f"{machine.as_line()}\nms to the first line, {calls} calls each in turn; goal of status: {GOAL_MS}\n"
    )
    reporter.say(report(walls))


def make_run(plane: ControlPlane) -> None:
    """Make a run that is at work."""
    path = f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{NAMESPACE}/{names.PLURAL}"
    spec = {"projectId": "66f1a2b3c4d5e6f708192a3b", "userId": "user-123"}
    document = {
        "apiVersion": f"{names.GROUP}/{names.VERSION}", "kind": names.KIND,
        "metadata": {"name": RUN}, "spec": spec,
    }  # fmt: skip
    made = plane.call("POST", path, document)
    departments = [
        {"slug": slug, "name": slug.title(), "codeDepNumber": number, "threshold": 80, "phase": "Running"}
        for number, slug in enumerate(DEPARTMENTS, 1)
    ]
    status = {"phase": "Running", "startTime": "2026-05-01T12:00:00Z", "departments": departments}
    plane.call("PUT", f"{path}/{RUN}/status", made | {"status": status})


def unpacked(folder: Path) -> Path:
    """Return the program out of the archive, as users have it."""
    with tarfile.open(fileobj=io.BytesIO(archive(contents()))) as tar:
        tar.extractall(folder, filter="data")
    return folder / "gather"


def measured(
    commands: Mapping[str, Sequence[str | Path]], environment: Mapping[str, str], calls: int
) -> dict[str, list[float]]:
    """Return milliseconds by command; a call before all, when Python compiles, does not count."""
    walls: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(calls + 1):
        for name, words in commands.items():
            wall_ms = to_first_line(words, environment)
            if number:
                walls[name].append(wall_ms)
    return walls


def to_first_line(words: Sequence[str | Path], environment: Mapping[str, str]) -> float:
    """Return how many milliseconds a command takes to its first line; raises CalledProcessError."""
    began_s = time.perf_counter()
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=dict(environment)) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        wall_ms = (time.perf_counter() - began_s) * MS_PER_S
        process.communicate(timeout=TIMEOUT_S)
    if process.returncode or not line:
        raise subprocess.CalledProcessError(process.returncode, [str(word) for word in words])
    return wall_ms


def report(walls: Mapping[str, Sequence[float]]) -> str:
    """Return a table with a command a row."""
    found: dict[str, Any] = {name: spread(values) for name, values in walls.items()}
    body = [(n, *(f"{ms:.0f}" for ms in (s.least, s.median, s.p95, s.most))) for n, s in found.items()]
    return table(("", "min", "median", "p95", "max"), body)


if __name__ == "__main__":
    command()
