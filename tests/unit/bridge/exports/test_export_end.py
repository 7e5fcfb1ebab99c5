"""An export's process ends with its request, whatever it still has to say."""

import asyncio
import sys

import pytest

from gather_bridge.exports import exporting
from gather_bridge.exports.export_slots import ExportSlots
from gather_bridge.exports.exporting import Exporter, Job
from gather_bridge.metrics import Metrics

FLOOD = """
import sys
print('{"status": 200}', flush=True)
while True:
    sys.stdout.write("x" * 65536)
"""
JOB = Job("66f1a2b3c4d5e6f708192a3b", "jsonl")


async def test_who_leaves_in_the_middle_leaves_the_place_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python waits for ever for a process that has ended while a pipe of it holds more than was read."""
    monkeypatch.setattr(exporting, "PROCESS", (sys.executable, "-c", FLOOD))
    exporter = Exporter("mongodb://127.0.0.1:1", 1, ExportSlots(1), Metrics())
    for _ in range(2):
        async with asyncio.timeout(30):
            async with exporter.running(JOB) as process:
                assert process.stdout is not None
                while not process.stdout._transport._paused:  # type: ignore[attr-defined] # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            assert process.returncode is not None
