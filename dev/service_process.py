"""A service as a process of its own: started until it answers, stopped, killed and started again.

It ends with the process that started it, even if that one is killed.
"""

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from dev.commands import last_lines
from dev.errors import CommandError, WaitTimeoutError
from dev.waiting import wait_for
from gather_clients.http_calls.tls import tls_for

Command = Sequence[str | Path]

HOST = "127.0.0.1"
READY_TIMEOUT_S = 300
"""Neo4j takes 7 to 15 s on two idle cores; the rest is for busy ones."""
STOP_TIMEOUT_S = 30
POLL_S = 0.05
PROBE_TIMEOUT_S = 5
PORT_FIRST, PORT_LAST = 15_000, 30_000
"""Below NodePorts and what Linux gives to connections (`ip_local_port_range`)."""


def free_port() -> int:
    """Return a TCP port that nothing listens on right now.

    None of those that the kernel gives to connections: one of these would get it before the service does.
    """
    while True:
        port = random.SystemRandom().randrange(PORT_FIRST, PORT_LAST)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HOST, port))
            return port


def script(name: str) -> str:
    """Return the path of a console script of this installation, such as `gather-brain`."""
    return str(Path(sys.executable).with_name(name))


def http_answers(uri: str, path: str = "/readyz") -> bool:
    """Return whether a service answers at `path` that it is ready."""
    url = httpx.URL(f"{uri}{path}")
    try:
        return httpx.get(url, timeout=PROBE_TIMEOUT_S, verify=tls_for(url)).is_success
    except httpx.HTTPError:
        return False


@dataclass
class ServiceProcess:
    """One service: `uri` is where it listens while it runs, at the same port every time.

    Attributes:
        answers: returns whether the service at this URI is ready.
        environment: variables over those of this process.
        is_shown: its output goes to this process's own output instead of `log`.
    """

    name: str
    uri: str
    folder: Path
    command: Command
    answers: Callable[[str], bool]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_shown: bool = False
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def log(self) -> Path:
        """What the process printed."""
        return self.folder / "log"

    @property
    def pid(self) -> int:
        """The process's id; raises RuntimeError if it does not run."""
        if self._process is None:
            raise RuntimeError(f"{self.name} does not run")
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the process was started and ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start the process and return when it answers; does nothing if it runs.

        Raises:
            CommandError: it ended or did not answer in time; the message holds the end of its log.
        """
        if self._process is not None:
            return
        # --pdeathsig: a test run that is killed leaves no process behind.
        command = ["setpriv", "--pdeathsig", "KILL", *self.command]
        with self.log.open("ab") as log:
            output = None if self.is_shown else log
            self._process = subprocess.Popen(
                command, cwd=self.folder, env={**os.environ, **self.environment},
                stdin=subprocess.DEVNULL, stdout=output, stderr=output and subprocess.STDOUT,
            )  # fmt: skip
        try:
            wait_for(f"{self.name} to answer at {self.uri}", self._is_ready, READY_TIMEOUT_S, POLL_S)
        except WaitTimeoutError as error:
            self.kill()
            raise CommandError(f"{error}\n{self._log_end()}".strip()) from error
        except BaseException:
            self.kill()
            raise

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End the process with SIGTERM, or kill it after `timeout_s`; its data stays for the next `start`."""
        self._end(signal.SIGTERM, timeout_s)

    def kill(self) -> None:
        """End the process as a crash would."""
        self._end(signal.SIGKILL, STOP_TIMEOUT_S)

    def restart(self) -> None:
        """Stop and start: what clients see as a short absence."""
        self.stop()
        self.start()

    @contextmanager
    def running(self) -> Iterator["ServiceProcess"]:
        """Run the service while the block lasts."""
        self.start()
        try:
            yield self
        finally:
            self.stop()

    @contextmanager
    def absent(self) -> Iterator[None]:
        """Keep the service down while the block lasts."""
        self.stop()
        try:
            yield
        finally:
            self.start()

    def _is_ready(self) -> bool:
        if self.has_ended:
            raise CommandError(f"{self.name} ended while it started.\n{self._log_end()}".strip())
        return self.answers(self.uri)

    def _log_end(self) -> str:
        return last_lines(self.log.read_text(encoding="utf-8", errors="replace"))

    def _end(self, how: signal.Signals, timeout_s: float) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
