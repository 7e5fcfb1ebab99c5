"""Objects and tables on stdout, in the forms that kubectl has: json, yaml, name, wide."""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import yaml

from gather_cli.errors import OutputLost, ReaderGone
from gather_cli.views.amounts import dollars, duration, score, seconds_between
from gather_cli.views.run_tree import COLOURS
from gather_cli.views.terminal import Terminal, plain
from gather_contracts import names

MACHINES: Final = ("json", "yaml", "name")
Object = Mapping[str, Any]
Dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


def print_objects(form: str, found: Sequence[Object], *, is_list: bool) -> None:
    """Print objects for machines: as kubectl does, a list as a List."""
    if form == "name":
        for each in found:
            print_line(f"{names.KIND.lower()}.{names.GROUP}/{each['metadata']['name']}")
        return
    shown: Any = {"apiVersion": "v1", "kind": "List", "items": list(found)} if is_list else found[0]
    print_data(form, shown)


def print_data(form: str, data: Any) -> None:
    """Print data as JSON or YAML."""
    if form == "json":
        print_line(json.dumps(data, indent=2, ensure_ascii=False))
    else:
        write(yaml.dump(data, Dumper=Dumper, sort_keys=False, allow_unicode=True))


def print_line(text: str) -> None:
    """Print a line at once, so that the reader of a pipe has it; raises ReaderGone."""
    write(f"{text}\n")


def write(text: str) -> None:
    """Write to stdout at once; raises ReaderGone or OutputLost."""
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as error:
        raise OutputLost(f"the output cannot be written: {error.strerror}") from error


def table(
    rows: Sequence[Sequence[str]], terminal: Terminal, colours: Mapping[str, tuple[str, ...]]
) -> list[str]:
    """Return a table's lines, its columns as wide as their texts; the first row is the head."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            terminal.paint(cell, *colours.get(cell, ())) + " " * (width - len(cell))
            for cell, width in zip(row, widths, strict=True)
        ]
        lines.append("   ".join(cells).rstrip())
    return lines


def runs_table(
    runs: Sequence[Object], now: datetime, terminal: Terminal, *, is_wide: bool, is_everywhere: bool
) -> list[str]:
    """Return runs as `kubectl get gatherruns` shows them."""
    head = ["NAME", "PROJECT", "PHASE", "DEPARTMENT", "PROGRESS", "ITEMS", "QUALITY", "AGE"]
    head = (
        (["NAMESPACE"] if is_everywhere else [])
        + head
        + (["ITERATIONS", "COST", "REASON"] if is_wide else [])
    )
    rows = [head, *(_row(run, now, is_wide=is_wide, is_everywhere=is_everywhere) for run in runs)]
    return table(rows, terminal, COLOURS)


def _row(run: Object, now: datetime, *, is_wide: bool, is_everywhere: bool) -> list[str]:
    status, metadata = run.get("status") or {}, run["metadata"]
    row = [metadata["namespace"]] if is_everywhere else []
    row += [
        metadata["name"],
        plain(run["spec"].get("projectId", "")),
        status.get("phase", "Pending"),
        status.get("currentDepartment", ""),
        status.get("progress", ""),
        str(status.get("itemsCreated", 0)),
        score(status["qualityScore"]) if status.get("qualityScore") else "",
        duration(seconds_between(metadata.get("creationTimestamp"), None, now)),
    ]
    wide = [str(status.get("iterations", 0)), dollars(status.get("costUSD")), status.get("reason", "")]
    return row + (wide if is_wide else [])
