"""Shells complete commands, options and the names of runs that a real API server has."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from dev.artefacts.shells import shell
from dev.service_process import script
from dev.waiting import wait_for
from tests.support.installation.installation import Installation
from tests.support.kubernetes.control_plane import ADMIN, kubeconfig

TIMEOUT_S = 60
AGAIN_S = 5
"""Completion gives the cluster two seconds, which a busy machine may not keep: then it is asked again."""
Environment = dict[str, str]


@pytest.fixture
def environment(installation: Installation, tmp_path: Path) -> Environment:
    """Of a person at a shell, with two runs in the namespace."""
    for name in ("my-film", "my-garden"):
        installation.run(name)
    return {
        "PATH": f"{Path(script('gather')).parent}:/usr/bin:/bin", "HOME": str(tmp_path), "TERM": "dumb",
        "KUBECONFIG": str(kubeconfig(installation.folder, ADMIN)), "GATHER_NAMESPACE": installation.namespace,
    }  # fmt: skip


def in_bash(program: Path, line: str, wanted: set[str], environment: Environment) -> set[str]:
    """Return which of the words bash offers."""
    words = line.split()
    call = (
        f"source <(gather completion bash); COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; "
        "_gather_completion gather; echo ${COMPREPLY[@]}"
    )
    return wanted & set(_output([str(program), "--norc", "-c", call], environment).split())


def in_fish(program: Path, line: str, wanted: set[str], environment: Environment) -> set[str]:
    """Return which of the words fish offers."""
    call = f'gather completion fish | source; complete -C "{line}"'
    return wanted & set(_output([str(program), "-c", call], environment).split())


def in_zsh(program: Path, line: str, wanted: set[str], environment: Environment) -> set[str]:
    """Return which of the words zsh shows after the tab key; for scripts it completes nothing."""
    terminal, other = pty.openpty()
    command = [str(program), "-f", "-i"]
    with subprocess.Popen(command, stdin=other, stdout=other, stderr=other, env=environment) as process:
        os.close(other)
        try:
            os.write(terminal, b"autoload -U compinit; compinit -D -u; source <(gather completion zsh)\n")
            os.write(terminal, b"echo rea''dy\n")
            _until(terminal, {"ready"})
            os.write(terminal, f"{line}\t".encode())
            return _until(terminal, wanted, again=b"\t")
        finally:
            process.kill()
            os.close(terminal)


def _output(command: list[str], environment: Environment) -> str:
    done = subprocess.run(
        command, env=environment, capture_output=True, check=True, text=True, timeout=TIMEOUT_S
    )
    return done.stdout


def _until(terminal: int, wanted: set[str], again: bytes = b"") -> set[str]:
    """Return which of the words a terminal shows, as soon as it has all."""
    shown, end_s = "", time.monotonic() + TIMEOUT_S
    while not all(word in shown for word in wanted):
        assert time.monotonic() < end_s, shown
        if select.select([terminal], [], [], AGAIN_S)[0]:
            shown += os.read(terminal, 65_536).decode(errors="replace")
        else:
            os.write(terminal, again)
    return wanted


@pytest.mark.parametrize(
    ("name", "offered"),
    [
        ("bash", in_bash),
        pytest.param("zsh", in_zsh, marks=pytest.mark.long),
        pytest.param("fish", in_fish, marks=pytest.mark.long),
    ],
    ids=["bash", "zsh", "fish"],
)
@pytest.mark.parametrize(
    ("line", "wanted"),
    [("gather status my-", {"my-film", "my-garden"}), ("gather doct", {"doctor"})],
    ids=["runs", "commands"],
)
def test_a_shell_offers(
    environment: Environment, name: str, offered: Callable[..., set[str]], line: str, wanted: set[str]
) -> None:
    """What begins like that."""
    program = shell(name)
    wait_for("the words", lambda: offered(program, line, wanted, environment) == wanted, TIMEOUT_S)
