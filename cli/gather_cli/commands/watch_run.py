"""`gather watch`: a run's progress until its end."""

import queue
import threading
from datetime import UTC, datetime
from typing import Any, Final

import typer

from gather_cli.cluster.runs import LATEST, Run, Runs
from gather_cli.commands.ends import exit_code_of, states
from gather_cli.commands.options import (
    Context,
    Form,
    Kubeconfig,
    Namespace,
    Output,
    RequestTimeout,
    RunName,
    Timeout,
    open_runs,
)
from gather_cli.errors import CliError
from gather_cli.views.printing import print_data, print_line
from gather_cli.views.progress_lines import news_of
from gather_cli.views.run_tree import Tree
from gather_cli.views.terminal import Terminal, stdout_terminal

HELP = """\
Watch a run until it ends; the exit code says how: 0 Succeeded, 1 Failed, 3 Cancelled or deleted.

On a terminal the tree is kept up to date. Elsewhere there is a line for each change, fit for a log. The
watch outlives breaks of the connection. Ctrl-C ends the watching, not the run.

Examples:

  gather watch my-film
  gather watch my-film --timeout 3600 && echo good
  gather watch my-film -o json            # one GatherRun a line for each change
"""
TICK_S: Final = 1.0


def watch(
    run: RunName = LATEST,
    output: Output = None,
    timeout: Timeout = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    request_timeout: RequestTimeout = None,
) -> None:
    runs = open_runs(namespace, context, kubeconfig, request_timeout)
    raise typer.Exit(watch_to_end(runs, runs.get(run), timeout, output))


def watch_to_end(runs: Runs, run: Run, timeout_s: float | None, output: Form | None = None) -> int:
    """Show a run until it ends, and return the exit code of its end; raises CliError."""
    terminal = stdout_terminal()
    if terminal.is_interactive and output in {None, Form.WIDE}:
        run = _live(runs, run, timeout_s, terminal, is_wide=output is Form.WIDE)
    else:
        run = _lines(runs, run, timeout_s, output)
    return int(exit_code_of(run) or 0)


def _lines(runs: Runs, run: Run, timeout_s: float | None, output: Form | None) -> Run:
    before: dict[str, Any] = {}
    for state in states(runs, run, timeout_s):
        run = state
        if output is Form.JSON:
            import json  # noqa: PLC0415 - one line for each state, unlike print_data's

            print_line(json.dumps(run, ensure_ascii=False))
        elif output is Form.YAML:
            print_line("---")
            print_data("yaml", run)
        else:
            for line in news_of(before, run, datetime.now(UTC)):
                print_line(line)
        before = run
    return run


def _live(runs: Runs, run: Run, timeout_s: float | None, terminal: Terminal, *, is_wide: bool) -> Run:
    """Repaint the tree at each change and each second."""
    from rich.console import Console  # noqa: PLC0415 - 60 ms that only a terminal needs
    from rich.live import Live  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    coming: queue.Queue[Run | CliError | None] = queue.Queue(maxsize=64)
    follower = Runs(runs.server.twin(), runs.namespace)
    threading.Thread(target=_follow, args=(follower, run, timeout_s, coming), daemon=True).start()

    def painted() -> Text:
        tree = Tree(run, datetime.now(UTC), terminal, pods, is_wide)
        return Text.from_ansi("\n".join(tree.lines()), no_wrap=True, overflow="ellipsis")

    pods = runs.pods(run)
    with Live(painted(), console=Console(), auto_refresh=False, vertical_overflow="crop") as live:
        while True:
            try:
                state = coming.get(timeout=TICK_S)
            except queue.Empty:
                state = run
            if isinstance(state, CliError):
                raise state
            if state is None:
                break
            if state is not run:
                run = state
                pods = runs.pods(run)
            live.update(painted(), refresh=True)
    return run


def _follow(
    runs: Runs, run: Run, timeout_s: float | None, coming: "queue.Queue[Run | CliError | None]"
) -> None:
    try:
        for state in states(runs, run, timeout_s):
            coming.put(state)
        coming.put(None)
    except CliError as error:
        coming.put(error)
    finally:
        runs.server.close()
