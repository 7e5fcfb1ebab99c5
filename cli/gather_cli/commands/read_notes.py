"""`gather items` and `gather export`: a run's or a project's notes, through the bridge."""

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlsplit

import typer

from gather_cli.cluster.kubeconfig import read_access
from gather_cli.cluster.runs import LATEST, Run, Runs
from gather_cli.commands.options import (
    Context,
    Form,
    Kubeconfig,
    Namespace,
    Output,
    RequestTimeout,
    RunName,
    open_runs,
)
from gather_cli.errors import CliError, NotFound, ReaderGone
from gather_cli.notes.bridge_client import Bridge
from gather_cli.notes.bridge_settings import read_config, read_token
from gather_cli.notes.port_forward import forwarded
from gather_cli.notes.whole_file import write_whole
from gather_cli.views.note_lines import note_lines, notes_table
from gather_cli.views.printing import print_data, print_line
from gather_cli.views.terminal import plain, stdout_terminal
from gather_contracts import names

ITEMS_HELP = """\
Show a run's notes, the newest first; with --project those of a whole project.

They come through the bridge, with a token of the bridge: --token-file, GATHER_BRIDGE_TOKEN_FILE,
GATHER_BRIDGE_TOKEN or the configuration file. Without --bridge, GATHER_BRIDGE_URL or `bridge` in that file it
is reached through kubectl port-forward.

Examples:

  gather items my-film                    # 50 notes of the run
  gather items my-film -d story --limit 0 # all of one department
  gather items --project 66f1a2b3c4d5e6f708192a3b -o json
"""
EXPORT_HELP = """\
Write a run's notes into a file; with --project those of a whole project.

The file is whole or not there: what breaks off leaves an older one as it was. `-` writes to stdout. The
bridge and its token are found as with gather items.

Examples:

  gather export my-film                   # my-film.md
  gather export my-film -o my-film.docx   # by the ending: jsonl, csv, md or docx
  gather export --project 66f1a2b3c4d5e6f708192a3b --format csv -o - | head
"""
PANEL: Final = "Bridge"
BRIDGE_PORT: Final = 8080
READ_TIMEOUT_S: Final = 60.0
PAGE: Final = 200

Project = Annotated[str | None, typer.Option("--project", help="Notes of this project instead of a run's.")]
Department = Annotated[str | None, typer.Option("--department", "-d", help="Only this department's.")]
BridgeUrl = Annotated[
    str | None,
    typer.Option("--bridge", envvar="GATHER_BRIDGE_URL", help="The bridge's address.", rich_help_panel=PANEL),
]
TokenFile = Annotated[
    str | None, typer.Option("--token-file", help="File with a token of the bridge.", rich_help_panel=PANEL)
]


class ExportForm(StrEnum):
    """What an export is written as."""

    JSONL = "jsonl"
    CSV = "csv"
    MD = "md"
    DOCX = "docx"


def items(
    run: RunName = LATEST,
    project: Project = None,
    department: Department = None,
    limit: Annotated[int, typer.Option("--limit", min=0, help="At most so many notes; 0: all.")] = 50,
    output: Output = None,
    bridge: BridgeUrl = None,
    token_file: TokenFile = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    request_timeout: RequestTimeout = None,
) -> None:
    place = _Place(namespace, context, kubeconfig, request_timeout)
    where = place.where(run, project, department)
    with place.bridge(bridge, token_file) as found:
        notes = _notes(found, where, limit)
        if output in {Form.JSON, Form.YAML}:
            print_data(output.value, {"notes": list(notes)})
        elif output is Form.NAME:
            for note in notes:
                print_line(plain(note.get("id", "")))
        else:
            terminal = stdout_terminal()
            show = notes_table if output is Form.WIDE else note_lines
            for line in show(notes, terminal):
                print_line(line)


def export(
    run: RunName = LATEST,
    project: Project = None,
    department: Department = None,
    form: Annotated[
        ExportForm | None, typer.Option("--format", help="Default: by the file's ending, else md.")
    ] = None,
    output: Annotated[
        str | None, typer.Option("--output", "-o", help="The file; -: stdout. Default: by the run's name.")
    ] = None,
    bridge: BridgeUrl = None,
    token_file: TokenFile = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    request_timeout: RequestTimeout = None,
) -> None:
    place = _Place(namespace, context, kubeconfig, request_timeout)
    where = place.where(run, project, department)
    wanted = form or _form_of(output)
    query = {**where.query, "format": wanted.value}
    with place.bridge(bridge, token_file) as found:
        chunks = found.export(where.project, query)
        if output == "-":
            _to_stdout(chunks)
            return
        path = Path(output or f"{where.name}.{wanted.value}")
        size = write_whole(path, chunks)
    typer.echo(f"{path}: {size:,} bytes", err=True)


class _Where:
    """Which notes are wanted."""

    def __init__(self, project: str, run: str, department: str | None) -> None:
        self.project, self.name = project, run or project
        self.query: dict[str, str] = {}
        if run:
            self.query["run"] = run
        if department:
            self.query["department"] = department


class _Place:
    """The cluster, asked only where it is needed: a project and a bridge's address do without it."""

    def __init__(
        self, namespace: str | None, context: str | None, kubeconfig: str | None, timeout_s: float | None
    ) -> None:
        self._given = (namespace, context, kubeconfig, timeout_s)
        self._runs: Runs | None = None

    def where(self, run: str, project: str | None, department: str | None) -> _Where:
        """Return which notes are wanted; raises CliError."""
        if project:
            if not re.fullmatch(names.OBJECT_ID_PATTERN, project):
                raise typer.BadParameter("24 hexadecimal digits", param_hint="--project")
            return _Where(project, "" if run == LATEST else run, department)
        found: Run = self.runs.get(run)
        return _Where(found["spec"]["projectId"], found["metadata"]["name"], department)

    @property
    def runs(self) -> Runs:
        """Return the runs of the cluster; raises CliError."""
        if self._runs is None:
            self._runs = open_runs(*self._given)
        return self._runs

    @contextmanager
    def bridge(self, address: str | None, token_file: str | None) -> Iterator[Bridge]:
        """Yield the bridge: at its address, else through kubectl port-forward; raises CliError."""
        _, context, kubeconfig, timeout_s = self._given
        config = read_config(self._context(context, kubeconfig))
        token = read_token(token_file, config)
        wait_s = timeout_s or READ_TIMEOUT_S
        if known := address or config.bridge:
            if not _is_address(known):
                raise typer.BadParameter(
                    "an address that begins with http:// or https://", param_hint="--bridge"
                )
            yield Bridge(known, token, wait_s)
            return
        runs = self.runs
        with forwarded(
            _bridge_service(runs), BRIDGE_PORT, runs.namespace, runs.server.access.context, kubeconfig
        ) as local:
            yield Bridge(local, token, wait_s)

    def _context(self, context: str | None, kubeconfig: str | None) -> str:
        if context or self._runs:
            return context or self.runs.server.access.context
        try:
            return read_access(kubeconfig).context
        except CliError:
            return ""


def _bridge_service(runs: Runs) -> str:
    selector = "app.kubernetes.io/name=gather,app.kubernetes.io/component=bridge"
    found = runs.server.get(f"/api/v1/namespaces/{runs.namespace}/services", labelSelector=selector)
    services = [service["metadata"]["name"] for service in found.get("items") or []]
    if not services:
        raise NotFound(f"there is no bridge in namespace {runs.namespace}; name its address with --bridge")
    return str(services[0])


def _notes(bridge: Bridge, where: _Where, limit: int) -> Iterator[Mapping[str, Any]]:
    left = limit or sys.maxsize
    for page in bridge.pages(where.project, {**where.query, "limit": min(PAGE, left)}):
        yield from page["notes"][:left]
        left -= len(page["notes"])
        if left <= 0:
            return


def _form_of(output: str | None) -> ExportForm:
    ending = Path(output or "").suffix.lstrip(".").lower()
    if output and output != "-" and ending not in {form.value for form in ExportForm}:
        raise typer.BadParameter(
            "name the form with --format, or end the file with .jsonl, .csv, .md or .docx", param_hint="-o"
        )
    return ExportForm(ending) if ending else ExportForm.MD


def _to_stdout(chunks: Iterator[bytes]) -> None:
    try:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise ReaderGone from None


def _is_address(text: str) -> bool:
    """Return whether a text is an http or https address with a host, and a port that can be."""
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
