"""The shape of the repository: small folders and files, and one name for one module."""

import ast
from collections import defaultdict
from pathlib import Path
from typing import Final

import pytest

from dev.paths import ROOT

PRODUCT: Final = ("contracts", "clients", "operator", "worker", "brain", "bridge", "cli", "demo")
SHARED_NAMES: Final = {"__init__", "__main__", "main", "settings", "errors", "metrics"}
"""Each room has its own; every other name is one module's, so that it can be searched for."""
MODULES_MAX: Final = 15
LINES_MAX: Final = 400


def modules(*folders: str) -> list[Path]:
    """Every Python file below the folders."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def test_no_two_modules_of_the_product_have_one_name() -> None:
    """But for those that every room has."""
    places = defaultdict(list)
    for path in modules(*PRODUCT):
        places[path.stem].append(str(path.relative_to(ROOT)))
    assert {name: at for name, at in places.items() if len(at) > 1 and name not in SHARED_NAMES} == {}


def test_no_folder_has_too_many_modules() -> None:
    """Packages' own `__init__.py` not counted."""
    sizes: dict[str, int] = defaultdict(int)
    for path in modules(*PRODUCT, "dev", "tests"):
        sizes[str(path.parent.relative_to(ROOT))] += path.stem != "__init__"
    assert {folder: size for folder, size in sizes.items() if size > MODULES_MAX} == {}


def test_no_module_is_too_long() -> None:
    """A longer one holds more than one thought."""
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in modules(*PRODUCT, "dev", "tests")
    }
    assert {name: length for name, length in lengths.items() if length > LINES_MAX} == {}


@pytest.mark.parametrize("path", [path for path in modules(*PRODUCT, "dev") if path.stem == "__init__"])
def test_every_package_says_what_belongs_there(path: Path) -> None:
    """In the docstring of its `__init__.py`."""
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_the_standard_library_s_operator_is_not_hidden() -> None:
    """From the repository's root, `operator/__init__.py` would take its place."""
    assert not (ROOT / "operator" / "__init__.py").exists()
