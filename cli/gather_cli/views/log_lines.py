"""A worker's log line for people: time, level, message and fields; pure."""

import json
from collections.abc import Callable
from typing import Final

from gather_cli.views.terminal import Terminal, plain

FRAME: Final = {"timestamp", "level", "logger", "message", "service", "run", "department", "project_id"}
COLOURS: Final = {"ERROR": ("red",), "CRITICAL": ("red", "bold"), "WARNING": ("yellow",), "DEBUG": ("dim",)}


def line_reader(terminal: Terminal, *, is_raw: bool) -> Callable[[str], str]:
    """Return what turns a line as it was written into one that is shown."""
    if is_raw:
        return lambda line: line

    def readable(line: str) -> str:
        try:
            found = json.loads(line)
        except ValueError:
            return plain(line)
        if not isinstance(found, dict) or "message" not in found:
            return plain(line)
        level = plain(found.get("level", ""))
        fields = " ".join(
            f"{name}={value if isinstance(value, int | float | str) else json.dumps(value)}"
            for name, value in found.items()
            if name not in FRAME
        )
        at = plain(found.get("timestamp", ""))[11:19]
        head = f"{at} {terminal.paint(f'{level:<7}', *COLOURS.get(level, ()))} {plain(found['message'])}"
        return head + (f"  {terminal.paint(plain(fields), 'dim')}" if fields else "")

    return readable
