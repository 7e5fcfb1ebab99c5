"""The samples of docs/doors.md run as they stand, against a real door."""

import asyncio
import os
import re
import subprocess
import sys
from typing import Final

from dev.paths import ROOT
from tests.support.doors.doors_api import DoorsApi
from tests.support.doors.http_door import KEY, ServedDoor

BLOCK: Final = re.compile(r"^```(sh|python)\n(.*?)\n```$", re.MULTILINE | re.DOTALL)


async def test_every_sample_runs(door: ServedDoor, kubernetes: DoorsApi) -> None:
    """In a shell and in Python; the shell's task is the same when it is sent again."""
    text = (ROOT / "docs" / "doors.md").read_text(encoding="utf-8")
    section = text.partition("\n## HTTP\n")[2].partition("\n## ")[0]
    blocks = BLOCK.findall(section)
    assert [language for language, _ in blocks] == ["sh", "python"]
    environment = {**os.environ, "DOOR": door.url, "DOOR_KEY": KEY}
    printed = []
    for language, code in (blocks[0], *blocks):
        command = ["bash", "-euc", code] if language == "sh" else [sys.executable, "-c", code]
        done = await asyncio.to_thread(
            subprocess.run, command, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{code}\n{done.stdout}\n{done.stderr}"
        printed.append(done.stdout)
    assert printed[0].split('"')[3] == printed[1].split('"')[3]
    assert printed[2].splitlines() == ["queued 0.0 queued", "queued 0.0 queued", "cancelled"]
    assert len(kubernetes.runs()) == 2
