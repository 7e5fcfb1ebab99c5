"""Reach a Service of the cluster from this machine, for as long as a `with` block lasts."""

import re
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dev.errors import DevError

_FORWARDING = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")


class ForwardError(DevError):
    """`kubectl port-forward` ended before it listened; the message is what it said."""


@contextmanager
def forwarded(kubectl: Sequence[str], namespace: str, target: str, port: int) -> Iterator[int]:
    """Yield a local port that leads to `port` of `target` (such as `svc/gather-brain`).

    Raises ForwardError if kubectl cannot forward.
    """
    command = [*kubectl, "-n", namespace, "port-forward", "--address", "127.0.0.1", target, f":{port}"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        line = process.stdout.readline() if process.stdout else ""  # printed as soon as it listens
        match = _FORWARDING.search(line)
        if match is None:
            process.kill()
            said = (line + process.communicate()[0]).strip()
            raise ForwardError(f"kubectl port-forward did not start: {said}")
        yield int(match.group(1))
    finally:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()
