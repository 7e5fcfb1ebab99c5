"""A Docker engine where none answers: installed as Debian's package and started, for `make demo-kind`."""

import subprocess
from pathlib import Path

from dev.artefacts.cache import Cache
from dev.artefacts.debian_packages import ensure_packages, require_root
from dev.cluster.docker import docker_answers, docker_refusal
from dev.cluster.preflight import effective_capabilities, require_all
from dev.commands import last_lines, run_logged
from dev.errors import ClusterError, MachineError, WaitTimeoutError
from dev.progress import Reporter
from dev.waiting import wait_for

PACKAGES = {"docker.io": "dockerd"}
"""Debian 12's has no buildx; images are then built with buildah, as where there is no engine."""
CAP_SYS_RESOURCE = 24
SYSTEMD = Path("/run/systemd/system")
START_TIMEOUT_S = 90.0


def refuse_node(cache: Cache) -> None:
    """Raise MachineError if a node of ours is here, which would go before kind."""
    if cache.node.exists():
        raise MachineError(
            "A node of our own is here, and keeps this machine: end it with `make down` first."
        )


def require_privileged(bits: int) -> None:
    """Raise MachineError if root may not start privileged containers, which kind's nodes are."""
    if not bits >> CAP_SYS_RESOURCE & 1:
        raise MachineError(
            "Root lacks CAP_SYS_RESOURCE here, without which Docker starts no privileged container, as "
            "kind's nodes are: run on a machine of your own, or `make demo`, which needs no Docker."
        )


def ensure_engine(cache: Cache, reporter: Reporter) -> None:
    """Have a Docker engine that answers; installs and starts one where there is none.

    Raises MachineError with all that this machine lacks for it, or ClusterError if it does not start.
    """
    refuse_node(cache)
    if docker_answers():
        return
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    require_all(
        [
            lambda: require_root(f"Starting a Docker engine (none answers: {docker_refusal()})"),
            lambda: require_privileged(effective_capabilities(status)),
        ]
    )
    ensure_packages(PACKAGES, cache, reporter)
    log = cache.logs / "docker.log"
    with reporter.step("Start the Docker engine") as step:
        step.waits_for(f"its answer; its output is in {log}")
        start(log, SYSTEMD)
        try:
            wait_for("the Docker engine", docker_answers, START_TIMEOUT_S)
        except WaitTimeoutError as error:
            said = last_lines(log.read_text(encoding="utf-8", errors="replace")) if log.exists() else ""
            raise ClusterError(f"The Docker engine does not answer: {docker_refusal()}\n{said}") from error


def start(log: Path, systemd: Path) -> None:
    """Start the engine: as the service where systemd runs, else as a process that outlives this one."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if systemd.exists():
        run_logged(["systemctl", "start", "docker"], log, timeout_s=START_TIMEOUT_S)
        return
    with log.open("ab") as output:
        command = ["setsid", "--fork", "dockerd"]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True)
