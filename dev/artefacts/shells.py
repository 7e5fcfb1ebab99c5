"""Shells that a machine may lack, for the tests of completion."""

from pathlib import Path
from typing import Final

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.artefacts.debian_packages import ensure_packages
from dev.progress import Reporter

PROGRAMS: Final = {"bash": "/bin/bash", "zsh": "/usr/bin/zsh", "fish": "/usr/bin/fish"}
"""Debian's package to where it puts the shell."""


def shell(name: str) -> Path:
    """Return where a shell is; installs it if it is missing."""
    artefacts = Artefacts(Cache.from_environment(), Reporter())
    with artefacts.locked("apt"):
        ensure_packages({name: PROGRAMS[name]}, artefacts.cache, artefacts.reporter)
    return Path(PROGRAMS[name])
