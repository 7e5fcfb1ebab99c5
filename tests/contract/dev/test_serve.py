"""`python -m dev serve`: a room on its own stores, restarted when its code changes."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import httpx
import pytest

from dev.code_watch import run_with_reload
from dev.paths import ROOT
from dev.service_process import HOST, Command, ServiceProcess, free_port, http_answers
from dev.waiting import wait_for

PROGRAM = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"VERSION")
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_a_service_is_restarted_after_each_change_of_its_code(tmp_path: Path) -> None:
    """Also after a change with which it could not start."""
    code, folder = tmp_path / "code", tmp_path / "work"
    code.mkdir()
    folder.mkdir()
    program, port = code / "program.py", free_port()
    program.write_text(PROGRAM.replace("VERSION", "one"))
    command: Command = [sys.executable, program, str(port)]
    service = ServiceProcess(
        "Service", f"http://{HOST}:{port}", folder, command, partial(http_answers, path="/")
    )
    said: list[str] = []

    def expect(answer: str | None, *, then: str) -> None:
        """Look at what runs, then change the code."""
        if answer is None:
            assert said[-1].endswith("Waiting for the next change.")
            assert "SyntaxError" in said[-1]
        else:
            assert httpx.get(service.uri).text == answer
        program.write_text(then)

    def end() -> None:
        raise KeyboardInterrupt

    steps: list[Callable[[], None]] = [
        partial(expect, "one", then=PROGRAM.replace("VERSION", "two")),
        partial(expect, "two", then="no Python"),
        partial(expect, None, then=PROGRAM.replace("VERSION", "three")),
        partial(expect, "three", then=""),
        end,
    ]
    try:
        run_with_reload(service, [code], said.append, lambda _: steps.pop(0)())
    except KeyboardInterrupt:
        assert steps == []
    finally:
        service.kill()


@pytest.mark.long
def test_a_served_brain_is_used_as_it_prints_and_ends_with_its_stores(tmp_path: Path) -> None:
    """The curl line runs as it stands; Ctrl-C leaves no process and no file."""
    output = tmp_path / "output"
    with output.open("w") as file:
        served = subprocess.Popen(
            [sys.executable, "-m", "dev", "serve", "brain"],
            stdout=file, stderr=file, cwd=ROOT, env=os.environ | {"TMPDIR": str(tmp_path)},
        )  # fmt: skip
    try:
        wait_for("the brain", lambda: "Brain is ready" in output.read_text(), 120)
        (line,) = re.findall(r"^(curl .*? http\S+)$", output.read_text(), re.MULTILINE | re.DOTALL)
        answer = subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=60)
        assert json.loads(answer.stdout)["created"] == 1
    finally:
        served.send_signal(signal.SIGINT)
        served.wait(60)
    assert served.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["output"]
