"""Where the repository is on this machine; the only place that counts folders."""

from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[1]
