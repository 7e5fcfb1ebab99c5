"""`gather` and `kubectl gather` on a real cluster: a run to its end, its notes, doctor."""

import csv
import io
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dev.artefacts.cache import Cache
from dev.cluster import kubeconfig
from dev.cluster.kubectl import program
from dev.package.cli_archive import archive, contents, version
from tests.support.deployed_gather import DeployedGather, new_project

PROJECT = new_project()
RUN_S = 300
RUN = "from-the-command-line"
PROGRAM = "import sys; sys.argv[0] = 'gather'; from gather_cli.main import main; main()"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Cli:
    """The program, with the cluster's kubeconfig and kubectl on its PATH."""

    namespace: str
    environment: dict[str, str]
    folder: Path

    def __call__(self, *arguments: str, timeout_s: float = RUN_S) -> Ended:
        """Call `gather`."""
        return self.run(sys.executable, "-c", PROGRAM, *arguments, "-n", self.namespace, timeout_s=timeout_s)

    def run(self, *command: str, timeout_s: float = 60) -> Ended:
        """Call any program in the same surroundings."""
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
            env=self.environment,
            cwd=self.folder,
        )
        return Ended(done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def cli(gather: DeployedGather, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The program, as somebody has it who has a kubeconfig."""
    cache, folder = Cache.from_environment(), tmp_path_factory.mktemp("cli")
    kubectl = program("kubectl", cache).parent
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GATHER_")},
        "KUBECONFIG": str(cache.kubeconfig),
        "HOME": str(folder),
        "PATH": f"{folder}:{kubectl}:{os.environ['PATH']}",
    }
    assert kubeconfig.CONTEXT in cache.kubeconfig.read_text("utf-8")
    return Cli(gather.namespace, environment, folder)


@pytest.fixture(scope="module")
def ended(cli: Cli, gather: DeployedGather) -> Iterator[str]:
    """A run of one department that was submitted and waited for."""
    submitted = ("submit", RUN, "--project", PROJECT, "--user", "e2e", "-d", "story", "--max-iterations", "2")
    said = cli(*submitted, "--wait", "--timeout", str(RUN_S), timeout_s=RUN_S + 60)
    assert said.code == 0, said.err + cli("status", RUN).out
    yield RUN
    gather.delete_run(RUN)


def test_a_run_is_submitted_shown_and_listed(cli: Cli, ended: str) -> None:
    """With its end, its departments and what it cost."""
    tree = cli("status", ended, "-o", "wide").out
    assert tree.startswith(f"{ended}  Succeeded  1/1 departments  ")
    assert "✓ story" in tree
    assert "attempt 1  " in tree
    assert cli("list", "--project", PROJECT, "-o", "name").out == f"gatherrun.gather.ft.tc/{ended}\n"
    assert cli("watch", ended).code == 0


def test_logs_are_the_workers(cli: Cli, ended: str) -> None:
    """JSON, as they were written, and readable."""
    raw = cli("logs", ended, "--raw", "--no-prefix").out.splitlines()
    assert {json.loads(line)["service"] for line in raw} == {"worker"}
    assert cli("logs", ended, "-d", "story", "--tail", "1", "--pretty").out.count("\n") == 1
    followed = cli("logs", ended, "-f", "--raw", "--no-prefix")
    assert (followed.code, followed.out.splitlines()) == (0, raw)


def test_notes_and_exports_come_through_the_bridge(cli: Cli, ended: str, gather: DeployedGather) -> None:
    """By kubectl port-forward where no address is named; as many as MongoDB holds."""
    there = {item["_id"] for item in gather.items(PROJECT)}
    found = json.loads(cli("items", ended, "--limit", "0", "-o", "json").out)["notes"]
    assert {note["id"] for note in found} == there
    for form in ("md", "csv", "jsonl", "docx"):
        assert cli("export", ended, "-o", f"notes.{form}").code == 0
    assert len((cli.folder / "notes.jsonl").read_text("utf-8").splitlines()) >= len(there)
    rows = list(csv.reader((cli.folder / "notes.csv").read_text("utf-8-sig").splitlines()))
    assert len(rows) > len(there)
    assert (cli.folder / "notes.docx").read_bytes().startswith(b"PK")
    assert not list(cli.folder.glob(".notes*"))


def test_a_cancelled_run_has_its_own_exit_code(cli: Cli, gather: DeployedGather, slow_model: None) -> None:
    """Both who cancels and who waits learn of it."""
    name = "cancelled-by-hand"
    assert cli("submit", name, "--project", PROJECT, "--user", "e2e", "-d", "story").code == 0
    gather.wait_running_pod(gather.run(name), 120)
    assert cli("cancel", name, "--wait", "--timeout", "90").out == f"{name} is Cancelled\n"
    assert cli("status", name, "--wait").code == 3
    gather.delete_run(name)


def test_doctor_finds_nothing_wrong_and_looks_from_inside(cli: Cli) -> None:
    """The demo's services are what a worker needs."""
    said = cli("doctor", "--probe", "-o", "json")
    found = json.loads(said.out)
    assert said.code == 0, [row for row in found["findings"] if row["status"] == "fail"]
    rows = {row["name"]: row for row in found["findings"]}
    assert rows["Rights"]["status"] == rows["Lease"]["status"] == rows["CRD"]["status"] == "ok"
    assert {name for name in rows if name.startswith("Worker: ")} >= {
        "Worker: MongoDB",
        "Worker: Brain",
        "Worker: Redis",
    }


def test_doctor_names_what_is_broken(cli: Cli, gather: DeployedGather) -> None:
    """A Secret that lacks a key, and a brain that is scaled down."""
    gather.scale("gather-brain", 0)
    before = json.loads(gather.kubectl("get", "secret", "gather-backing-worker", "-o", "json"))["data"][
        "OPENROUTER_API_KEY"
    ]
    gather.kubectl("patch", "secret", "gather-backing-worker", "-p", '{"data":{"OPENROUTER_API_KEY":null}}')
    try:
        said = cli("doctor")
        assert said.code == 1
        assert "it lacks the key OPENROUTER_API_KEY, which the worker reads" in " ".join(said.out.split())
        assert "the brain: its Deployment is scaled to 0" in said.out
    finally:
        patch = json.dumps({"data": {"OPENROUTER_API_KEY": before}})
        gather.kubectl("patch", "secret", "gather-backing-worker", "-p", patch)
        gather.scale("gather-brain", 1)
        gather.wait_ready("gather-brain")


def test_the_archive_is_a_plugin_of_kubectl(cli: Cli, ended: str) -> None:
    """As Krew installs it: unpacked, and linked from a folder of PATH."""
    with tarfile.open(fileobj=io.BytesIO(archive(contents()))) as tar:
        tar.extractall(cli.folder / "store", filter="data")
    (cli.folder / "kubectl-gather").symlink_to(cli.folder / "store" / "kubectl-gather")
    assert cli.run("kubectl", "gather", "version", "--client").out == f"gather {version()}\n"
    shown = cli.run("kubectl", "gather", "status", ended, "-n", cli.namespace, "-o", "name")
    assert shown.out == f"gatherrun.gather.ft.tc/{ended}\n"
    script = cli.run("kubectl", "gather", "completion", "kubectl").out
    completer = cli.folder / "kubectl_complete-gather"
    completer.write_text(script, "utf-8")
    completer.chmod(0o755)
    assert cli.run("kubectl", "__complete", "gather", "sta").out.startswith("status")
