"""`make demo` installs less than tests do: what it runs must not need the rest."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

from dev.paths import ROOT

NOT_RUN: Final = {"generate", "package", "scan"}
"""Folders of `dev` that need the whole development environment."""
IMPORT_ALL: Final = '''
import importlib, sys
from importlib.metadata import packages_distributions

pinned, modules = sys.argv[1].split(), sys.argv[2].split()

class OnlyPinned:
    """Hides installed packages that are not pinned."""

    others = {
        name for name, owners in packages_distributions().items()
        if not any(owner.lower().replace("_", "-") in pinned for owner in owners)
        and not name.startswith("gather_")
    } - {"dev", "tests"}

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.others - sys.stdlib_module_names:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, OnlyPinned())
for module in modules:
    importlib.import_module(module)
print(len(modules), "pytest" in OnlyPinned.others)
'''


def test_what_a_demo_runs_imports_only_what_it_installs() -> None:
    lock = (ROOT / "requirements/cluster.txt").read_text("utf-8")
    pinned = re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)
    files = [path.relative_to(ROOT) for path in sorted((ROOT / "dev").rglob("*.py"))]
    modules = [_module(path) for path in files if path.parts[1] not in NOT_RUN and path.stem != "__main__"]
    said = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, " ".join(pinned), " ".join(modules)],
        capture_output=True, text=True, check=False, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert said.returncode == 0, said.stderr
    assert said.stdout.split() == [str(len(modules)), "True"]
    assert "dev.cli.deploy" in modules


def _module(path: Path) -> str:
    return ".".join(path.with_suffix("").parts).removesuffix(".__init__")
