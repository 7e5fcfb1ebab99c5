"""The command line imports what its command needs: keys are made without server and embedding model."""

import subprocess
import sys
from typing import Final

HEAVY: Final = ("onnxruntime", "tokenizers", "fastapi", "uvicorn")


def test_the_command_line_for_keys_imports_no_embedding_runtime() -> None:
    """Which takes a second to start, and writes warnings of its own."""
    program = (
        "import sys, gather_brain.main, gather_brain.keys_command\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout.strip() == "[]"
    assert found.stderr == ""
