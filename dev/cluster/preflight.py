"""What a machine must have for the cluster: all that is missing is named at once, each with its fix.

`make up` and `make demo` start it before anything is installed, so it needs the standard library alone.
"""

import argparse
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from dev.artefacts import go_programs
from dev.artefacts.cache import GIB, Cache, require_space
from dev.artefacts.debian_packages import (
    IMAGE_PACKAGES,
    NODE_PACKAGES,
    is_present,
    missing_packages,
    require_root,
)
from dev.cluster import docker
from dev.cluster.node import cgroups, network
from dev.cluster.real_model import CAP_DEFAULT_USD, read_model
from dev.commands import output_of
from dev.errors import CommandError, MachineError

IMAGES_SPACE_BYTES = 4 * GIB
"""All images with their layers, twice over while one is loaded."""
NODE_SPACE_BYTES = 6 * GIB
"""The images unpacked (3 GiB), etcd, logs and what the demo's pods write."""
MEMORY_BYTES = 3 * GIB
"""The node with both charts' pods and a worker at work held 2.0 GiB; the compiler as much before."""
CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_CHROOT": 18, "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27}
"""By their bits, capabilities(7): links, chroot, mounts and namespaces, devices of containers."""
Check = Callable[[], object]
"""Raises MachineError, with the fix in its message, if something is missing."""


def missing_parts(checks: Iterable[Check]) -> list[str]:
    """Return what each check says is missing, in their order."""
    found = []
    for check in checks:
        try:
            check()
        except MachineError as error:
            found.append(str(error))
    return found


def require_all(checks: Iterable[Check]) -> None:
    """Raise one MachineError that names all that is missing."""
    found = missing_parts(checks)
    if len(found) > 1:
        listed = "\n".join(f"{number}. {text}" for number, text in enumerate(found, 1))
        raise MachineError(f"This machine lacks {len(found)} things:\n{listed}")
    if found:
        raise MachineError(found[0])


def require_venv(has_module: Callable[[str], object] = importlib.util.find_spec) -> None:
    """Raise MachineError if Python cannot make a virtual environment, as Debian's without its package."""
    if not (has_module("venv") and has_module("ensurepip")):
        raise MachineError("Python cannot make a virtual environment: apt-get install python3-venv")


def require_linux(system: str = platform.system()) -> None:
    """Raise MachineError on a system that has no Linux node without a virtual machine."""
    if system != "Linux":
        raise MachineError(
            f"On {system} the cluster needs a Docker engine, and none answers ({docker.docker_refusal()}): "
            "start Docker Desktop, colima or the like."
        )


def require_rights() -> None:
    """Raise MachineError unless we are root; the message says why a Docker engine does not help."""
    try:
        require_root("The cluster's node")
    except MachineError as error:
        raise MachineError(
            f"{error} A Docker engine that this user may use would do instead, but none answers "
            f"({docker.docker_refusal()})."
        ) from error


def require_builder(has_buildx: Callable[[], bool] = docker.has_buildx) -> None:
    """Raise MachineError if neither Docker nor, for want of root, buildah can build the images."""
    if has_buildx():
        return
    try:
        require_root("Building the images with buildah")
    except MachineError as error:
        raise MachineError(
            f"Docker has no buildx here, which the images need: apt-get install docker-buildx, or "
            f"docker-buildx-plugin from Docker's own repository. {error}"
        ) from error


def effective_capabilities(status: str) -> int:
    """Return the bits of CapEff in the text of /proc/self/status."""
    (line,) = [line for line in status.splitlines() if line.startswith("CapEff:")]
    return int(line.split()[1], 16)


def require_capabilities(bits: int) -> None:
    """Raise MachineError if root here is not allowed what a node does, as in most containers."""
    if lacking := [name for name, bit in CAPABILITIES.items() if not bits >> bit & 1]:
        raise MachineError(
            f"Root lacks {', '.join(lacking)} here: run on a machine, or in a container with --privileged."
        )


def memory_available(meminfo: str) -> int:
    """Return the bytes that programs can still take, from the text of /proc/meminfo."""
    (line,) = [line for line in meminfo.splitlines() if line.startswith("MemAvailable:")]
    return int(line.split()[1]) * 1024


def require_memory(available_bytes: int) -> None:
    """Raise MachineError if the node and its pods would not fit."""
    if available_bytes < MEMORY_BYTES:
        raise MachineError(
            f"The cluster needs {MEMORY_BYTES / GIB:.1f} GiB of memory, but only "
            f"{available_bytes / GIB:.1f} GiB are free: end what is not needed, or give this machine more."
        )


def require_packages() -> None:
    """Raise MachineError if Debian packages are missing where apt-get cannot install them."""
    missing = missing_packages({**NODE_PACKAGES, **IMAGE_PACKAGES})
    if missing and not is_present("apt-get"):
        raise MachineError(
            f"Programs are missing, and there is no apt-get: install what Debian calls {', '.join(missing)}."
        )


def require_overlay(filesystems: str, execute: Callable[..., str] = output_of) -> None:
    """Raise MachineError if the kernel cannot lay file systems over another, as images need."""
    if "overlay" in filesystems.split():
        return
    try:
        execute(["modprobe", "overlay"])
    except CommandError as error:
        raise MachineError(
            f"The kernel lacks overlay, on which containers stand: {error}. "
            "Install the full kernel package (apt-get install linux-image-amd64 kmod) and restart."
        ) from error


def needed_space(cache: Cache) -> int:
    """Return the bytes that the first run still has to write below the cache and into Go's own."""
    programs = 0 if go_programs.KUBERNETES.is_built(cache) else go_programs.BUILD_SPACE_BYTES
    images = 0 if (cache.root / "containers").exists() else IMAGES_SPACE_BYTES
    return programs + images + (0 if cache.node.exists() else NODE_SPACE_BYTES)


def node_checks(cache: Cache) -> list[Check]:
    """Return the checks of a machine that gets a node of our own."""
    if platform.system() != "Linux":
        return [require_linux]
    checks: list[Check] = [require_rights, require_packages, cgroups.own_hierarchies]
    if needed := needed_space(cache):
        checks.append(lambda: require_space(cache.root, needed, "The cluster with all that it is built of"))
    if not cache.node.exists():
        meminfo = Path("/proc/meminfo").read_text(encoding="ascii")
        checks.append(lambda: require_memory(memory_available(meminfo)))
    if not missing_parts([require_rights]):
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        filesystems = Path("/proc/filesystems").read_text(encoding="ascii")
        checks += [
            lambda: require_capabilities(effective_capabilities(status)),
            lambda: require_overlay(filesystems),
            network.ensure_bridge_filter,
        ]
        if is_present("ip"):
            checks.append(network.require_free_network)
    return checks


def checks(cache: Cache) -> list[Check]:
    """Return the checks for the provider that this machine gets."""
    return [require_venv, *([require_builder] if docker.is_chosen(cache) else node_checks(cache))]


def main() -> None:
    """Run `python -m dev.cluster.preflight`: prints what is missing and exits with 1, or prints nothing."""
    parser = argparse.ArgumentParser(prog="python -m dev.cluster.preflight", description=__doc__)
    parser.add_argument("--model", help="a real model that the demo shall use")
    parser.add_argument("--max-cost", type=float, default=CAP_DEFAULT_USD, help="what its run may cost, USD")
    given = parser.parse_args()
    asked = [lambda: read_model(given.model, given.max_cost, os.environ)] if given.model else []
    try:
        require_all([*asked, *checks(Cache.from_environment())])
    except MachineError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
