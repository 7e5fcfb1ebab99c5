"""Install the Debian packages that the node needs, and only those that are missing."""

import os
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dev.artefacts.cache import Cache
from dev.commands import run_logged
from dev.errors import MachineError

if TYPE_CHECKING:
    from dev.progress import Reporter

APT_TIMEOUT_S = 900
"""A slow mirror and another apt run before ours."""
SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
"""Where programs are looked for besides PATH, which often lacks the sbin folders."""

_ONE_APT = threading.Lock()
"""apt-get waits for another's lock of dpkg, not for one of the package lists."""

NODE_PACKAGES: Mapping[str, str] = {
    "containerd": "containerd",
    "runc": "runc",
    "containernetworking-plugins": "/usr/lib/cni/bridge",
    "iptables": "iptables",
    "ipset": "ipset",
    "conntrack": "conntrack",
    "iproute2": "ip",
    "gcc": "gcc",
    "libc6-dev": "/usr/include/stdio.h",
}
"""Package to what shows that it is there: a command, or a file. The last two are for the pause program."""

IMAGE_PACKAGES: Mapping[str, str] = {
    "buildah": "buildah",
    "debootstrap": "debootstrap",
    "ca-certificates": "/etc/ssl/certs",
}
"""What builds images where there is no Docker engine, in the same form."""


def is_present(probe: str) -> bool:
    """Return whether a command is on the search path, or a file exists."""
    if probe.startswith("/"):
        return Path(probe).exists()
    path = os.pathsep.join((os.environ.get("PATH", ""), *SYSTEM_FOLDERS))
    return shutil.which(probe, path=path) is not None


def missing_packages(wanted: Mapping[str, str], present: Callable[[str], bool] = is_present) -> list[str]:
    """Return the packages whose probe is not there, in the order given."""
    return [package for package, probe in wanted.items() if not present(probe)]


def require_root(what: str) -> None:
    """Raise MachineError unless we are root."""
    if os.geteuid():
        raise MachineError(f"{what} needs root: run the same command with sudo, or as root.")


def install(packages: Iterable[str], cache: Cache, reporter: "Reporter") -> None:
    """Install Debian packages with apt-get; raises MachineError where there is no apt-get."""
    names = list(packages)
    if not names:
        return
    if not is_present("apt-get"):
        raise MachineError(f"Missing: {', '.join(names)}. Install them with this system's package manager.")
    require_root(f"Installing {', '.join(names)}")
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    log = cache.logs / "apt.log"
    apt = ["apt-get", "-q", "-o", "DPkg::Lock::Timeout=300"]
    with _ONE_APT, reporter.step(f"Install {' '.join(names)}") as step:
        step.waits_for("the package lists")
        run_logged([*apt, "update"], log, timeout_s=APT_TIMEOUT_S, env=environment)
        step.waits_for("apt-get install")
        install_command = [*apt, "install", "-y", "--no-install-recommends", *names]
        run_logged(install_command, log, timeout_s=APT_TIMEOUT_S, env=environment)


def unpack(package: str, folder: Path, cache: Cache) -> None:
    """Unpack a package and leave it uninstalled, so that no service of it starts."""
    log = cache.logs / "apt.log"
    with _ONE_APT:
        run_logged(["apt-get", "-q", "update"], log, timeout_s=APT_TIMEOUT_S)
        run_logged(["apt-get", "-q", "download", package], log, timeout_s=APT_TIMEOUT_S, cwd=folder)
    (archive,) = folder.glob("*.deb")
    run_logged(["dpkg-deb", "-x", str(archive), str(folder)], log, timeout_s=APT_TIMEOUT_S)
    archive.unlink()


def ensure_packages(wanted: Mapping[str, str], cache: Cache, reporter: "Reporter") -> None:
    """Install those of the wanted packages (package to probe) that are missing."""
    install(missing_packages(wanted), cache, reporter)
