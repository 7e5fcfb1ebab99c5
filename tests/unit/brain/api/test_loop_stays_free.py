"""What takes long at the greatest bodies runs in a thread, so that one request holds up no other.

`make bench-loop` measures how long each endpoint holds the loop.
"""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

import gather_brain

ROOM: Final = Path(gather_brain.__file__).parent
SLOW: Final = frozenset(
    {
        "_row",
        "_sample",
        "_themes",
        "candidates",
        "context_of",
        "measure",
        "most_relevant",
        "phrases",
        "plan_measurement",
        "profile_of",
        "summary_of",
        "text_hash",
        "content_hash",
    }
)
"""Pure functions of texts, or of many nodes, that take 5 ms and more at the limits."""
MODULES: Final = sorted(
    path for path in ROOM.rglob("*.py") if "async def" in path.read_text() and path.name != "warm_up.py"
)


def on_the_loop(tree: ast.AST) -> Iterator[str]:
    """The slow functions that a coroutine uses outside of `asyncio.to_thread`."""
    for function in ast.walk(tree):
        if isinstance(function, ast.AsyncFunctionDef):
            moved = {
                id(node)
                for call in ast.walk(function)
                if isinstance(call, ast.Call) and ast.unparse(call.func) == "asyncio.to_thread"
                for node in ast.walk(call)
            }
            bound = {each.arg for each in ast.walk(function.args) if isinstance(each, ast.arg)}
            used = [node for node in ast.walk(function) if isinstance(node, ast.Name)]
            bound |= {node.id for node in used if isinstance(node.ctx, ast.Store)}
            for node in used:
                if node.id in SLOW - bound and id(node) not in moved:
                    yield node.id


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOM)))
def test_coroutines_leave_slow_functions_to_threads(module: Path) -> None:
    """Of what a coroutine calls itself; the pure modules may call each other as they like."""
    assert sorted(on_the_loop(ast.parse(module.read_text()))) == []


def test_a_slow_call_on_the_loop_is_noticed() -> None:
    """The check above can fail."""
    direct = ast.parse("async def f():\n    return [phrases(text) for text in texts]")
    moved = ast.parse("async def f():\n    await asyncio.to_thread(lambda: list(map(phrases, texts)))")
    assert list(on_the_loop(direct)) == ["phrases"]
    assert list(on_the_loop(moved)) == []
