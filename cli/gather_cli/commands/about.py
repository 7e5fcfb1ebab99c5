"""`gather version` and `gather completion`."""

from enum import StrEnum
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from typing import Annotated, Final

import typer

from gather_cli.cluster.api_server import default_timeout_s
from gather_cli.commands.options import Context, Form, Kubeconfig, Namespace, Output, open_runs
from gather_cli.doctor.installed_release import releases_of
from gather_cli.errors import CliError
from gather_cli.views.completion_scripts import SCRIPTS, kubectl_script
from gather_cli.views.printing import print_data, print_line, write

VERSION_HELP = """\
Show the version of this program, and of Gather in the namespace where there is a cluster.

Examples:

  gather version
  gather version --client -o json         # without asking a cluster
"""
COMPLETION_HELP = """\
Print what completes commands, options, runs and contexts in your shell.

Examples:

  source <(gather completion bash)                                  # ~/.bashrc
  source <(gather completion zsh)                                   # ~/.zshrc, after compinit
  gather completion fish > ~/.config/fish/completions/gather.fish
  gather completion kubectl > ~/bin/kubectl_complete-gather && chmod +x ~/bin/kubectl_complete-gather
"""
QUICK_S: Final = 5.0


class Shell(StrEnum):
    """What is completed for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"
    KUBECTL = "kubectl"


def version(
    is_client: Annotated[bool, typer.Option("--client", help="Of this program alone.")] = False,
    output: Output = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
) -> None:
    try:
        own = installed("gather")
    except PackageNotFoundError:
        own = "unknown"
    found: dict[str, object] = {"client": own}
    if not is_client:
        try:
            runs = open_runs(namespace, context, kubeconfig, min(QUICK_S, default_timeout_s()))
            found["releases"] = {
                release.name: release.version for release in releases_of(runs.server, runs.namespace)
            }
        except CliError as error:
            found["releases"] = {}
            typer.echo(f"The cluster was not asked: {error}", err=True)
    if output in {Form.JSON, Form.YAML}:
        print_data(output.value, found)
        return
    print_line(f"gather {own}")
    for name, number in dict(found.get("releases") or {}).items():  # type: ignore[call-overload] # it is a dict
        print_line(f"release {name}: {number}")


def completion(
    shell: Annotated[Shell, typer.Argument(help="bash, zsh, fish, or kubectl for kubectl gather.")],
) -> None:
    write(kubectl_script() if shell is Shell.KUBECTL else SCRIPTS[shell.value])
