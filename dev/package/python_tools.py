"""Programs in Python that stand apart from the rest, since no test and no room needs what they depend on."""

import sys
from pathlib import Path

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.wheels import REQUIREMENTS, requirements_key
from dev.commands import output_of

INSTALL_TIMEOUT_S = 1800
"""A hundred packages on a busy machine."""


def python_tool(name: str, artefacts: Artefacts) -> Path:
    """Return the folder, for PYTHONPATH, with what `requirements/NAME.txt` pins by hashes."""
    requirements = REQUIREMENTS / f"{name}.txt"

    def make(folder: Path) -> None:
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--require-hashes", "--target", str(folder)]
        output_of([*pip, "-r", str(requirements)], timeout_s=INSTALL_TIMEOUT_S)

    return artefacts.obtain(f"tool-{name}", requirements_key(requirements), make)
