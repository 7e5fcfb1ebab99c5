"""The archive of the command line: it runs with Python alone, and its manifest names its hash."""

import hashlib
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
import yaml

from dev.generate.cli_help import files as help_files
from dev.generate.files import differing_files
from dev.package.cli_archive import archive, contents, manifest, version
from dev.paths import ROOT
from gather_cli.main import COMMANDS


@pytest.fixture(scope="module")
def packed() -> bytes:
    """The archive."""
    return archive(contents())


@pytest.fixture(scope="module")
def unpacked(packed: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its files, in one folder for all tests: Python compiles them at the first call."""
    folder = tmp_path_factory.mktemp("archive")
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def run(program: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run it without any installed package, and with nothing of this environment."""
    command = [sys.executable, "-S", "-E", str(program), *arguments]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


def test_it_runs_with_python_alone(unpacked: Path, tmp_path: Path) -> None:
    """Through a link, as Krew installs it; nothing compiled is in it."""
    assert not [name for name in contents() if name.endswith((".so", ".pyc", ".pyd"))]
    (tmp_path / "kubectl-gather").symlink_to(unpacked / "kubectl-gather")
    program = tmp_path / "kubectl-gather"
    assert run(program, "version", "--client").stdout == f"gather {version()}\n"
    said = run(program, "status")
    assert (said.returncode, said.stdout) == (6, "")
    assert said.stderr.startswith("error: there is no kubeconfig")
    assert "Usage: kubectl gather doctor" in run(program, "doctor", "--help").stdout


def test_the_same_sources_make_the_same_bytes(packed: bytes) -> None:
    """So that anyone can check a published one."""
    assert archive(contents()) == packed


def test_the_manifest_names_version_and_hash(packed: bytes) -> None:
    """And files that are in the archive."""
    found = yaml.safe_load(manifest(packed))
    (platform,) = found["spec"]["platforms"]
    assert found["spec"]["version"] == f"v{version()}"
    assert platform["sha256"] == hashlib.sha256(packed).hexdigest()
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        roots = {name.split("/")[0] for name in tar.getnames()}
    assert {entry["from"] for entry in platform["files"]} <= roots
    assert platform["bin"] in roots


def test_the_page_has_the_help_of_every_command() -> None:
    """`make cli-help` writes it."""
    assert differing_files(help_files(), ROOT) == []
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert [name for name in COMMANDS if f"### gather {name}\n" not in text] == []


def test_every_command_has_examples() -> None:
    """In its help."""
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    for name in COMMANDS:
        own = text.split(f"### gather {name}\n")[1].split("\n### ")[0]
        assert f"Examples:\n    gather {name}" in own or f"Examples:\n    source <(gather {name}" in own, name


def test_output_that_cannot_be_written_is_one_line(unpacked: Path) -> None:
    """On a full disk with what is wrong; to a reader that has gone with nothing."""
    command = [sys.executable, "-S", "-E", str(unpacked / "gather"), "completion", "bash"]
    with Path("/dev/full").open("w") as full:
        said = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False
        )
    assert (said.returncode, said.stderr) == (
        1,
        "error: the output cannot be written: No space left on device\n",
    )
    reader, writer = os.pipe()
    os.close(reader)
    gone = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    os.close(writer)
    assert (gone.returncode, gone.stderr) == (141, "")


def test_bash_and_kubectl_complete_commands_and_options(unpacked: Path, tmp_path: Path) -> None:
    """By what `gather completion` prints; kubectl wants a directive as the last line."""
    environment = {"PATH": f"{unpacked}:/usr/bin:/bin", "HOME": str(tmp_path)}

    def bash(script: str) -> list[str]:
        done = subprocess.run(
            ["bash", "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env=environment,
        )
        return done.stdout.split()

    load = "source <(gather completion bash); _gather_completion gather; echo ${COMPREPLY[@]}"
    assert bash(f"COMP_WORDS=(gather s); COMP_CWORD=1; {load}") == ["submit", "status"]
    assert bash(f"COMP_WORDS=(gather status --nam); COMP_CWORD=2; {load}") == ["--namespace"]
    kubectl = "gather completion kubectl > k; chmod +x k; ./k "
    assert bash(f"cd {tmp_path}; {kubectl} completion ''") == ["bash", "zsh", "fish", "kubectl", ":4"]
