"""This machine's way to packages, for pip inside an image build: an index, certificates, folders of wheels.

It is mounted while a build runs and is in no image.
"""

import ast
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.commands import output_of

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""Debian's bundle, on the machine and in the base image; a machine's own authorities are in it."""
PASSED_ON = frozenset({
    "index-url", "extra-index-url", "find-links", "no-index", "trusted-host", "proxy", "timeout",
    "default-timeout", "retries", "cert", "client-cert",
})  # fmt: skip
"""Where packages come from and how; not where they go."""
LISTED = re.compile(r"^(?P<section>.+)\.(?P<name>[a-z-]+)=(?P<value>'.*'|\".*\")$")


@dataclass(frozen=True, slots=True)
class PipConfig:
    """A pip.conf, and the files and folders of this machine that it names."""

    text: str
    mounts: tuple[Path, ...]


def passed_on(listed: str) -> dict[str, str]:
    """Return the settings to pass on out of what `pip config list` prints; the environment wins."""
    found: dict[str, tuple[bool, str]] = {}
    for line in listed.splitlines():
        match = LISTED.match(line)
        if match and match["name"] in PASSED_ON:
            from_environment = match["section"] == ":env:"
            if from_environment or not found.get(match["name"], (False, ""))[0]:
                found[match["name"]] = (from_environment, str(ast.literal_eval(match["value"])))
    return {name: value for name, (_, value) in found.items()}


def paths_in(settings: Mapping[str, str]) -> list[Path]:
    """Return the absolute paths that the settings name: certificates, and folders of wheels."""
    words = [
        word for name in ("cert", "client-cert", "find-links") for word in settings.get(name, "").split()
    ]
    return [Path(word.removeprefix("file://")) for word in words if word.startswith(("/", "file:///"))]


def pip_config(listed: str, certificates: Path = CERTIFICATES) -> PipConfig:
    """Return the configuration for a build, out of what `pip config list` prints here."""
    settings = passed_on(listed)
    if certificates.exists():
        settings.setdefault("cert", str(certificates))
    mounts = {path: None for path in (certificates, *paths_in(settings)) if path.exists()}
    lines = [
        f"{name} = {value.replace(chr(10), chr(10) + '    ')}" for name, value in sorted(settings.items())
    ]
    return PipConfig("\n".join(["[global]", *lines, ""]), tuple(mounts))


def machine_pip_config() -> PipConfig:
    """Return the configuration of this machine's pip."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    return pip_config(output_of(command))
