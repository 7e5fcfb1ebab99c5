"""The cluster's own kubectl and Helm, bound to the cluster: what `dev/kubectl` and `dev/helm` run.

Only the standard library, so that they start at once and with any Python. Without an explicit context
they reach our cluster and no other, whatever KUBECONFIG says.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from dev.artefacts import go_programs
from dev.artefacts.cache import Cache
from dev.cluster import installed, kubeconfig
from dev.cluster.kubeconfig import Credentials
from dev.cluster.node import layout
from dev.errors import ClusterError, ContextError, DevError, MachineError

HELM_WITHOUT_CLUSTER = frozenset({"lint", "template", "package", "version"})
"""What Helm does on this machine alone."""
CONTEXT_FLAGS = {"kubectl": "--context", "helm": "--kube-context"}


def program(name: str, cache: Cache) -> Path:
    """Return the path of the kubectl or helm to use; raises MachineError if `up` has not got one yet."""
    alone = {"kubectl": go_programs.KUBECTL, "helm": go_programs.HELM}[name]
    folders = (go_programs.KUBERNETES.folder(cache), alone.folder(cache), installed.folder(cache))
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    raise MachineError(f"{name} is not built yet: `make up` builds it.")


def explicit_context(name: str, arguments: Sequence[str]) -> str | None:
    """Return the context that the arguments name themselves, if any; nothing after `--` counts."""
    flag = CONTEXT_FLAGS[name]
    for position, argument in enumerate(arguments):
        if argument == "--":
            return None
        if argument == flag:
            return arguments[position + 1] if position + 1 < len(arguments) else None
        if argument.startswith(f"{flag}="):
            return argument.partition("=")[2]
    return None


def require_node(credentials: Credentials, links: Path = Path("/sys/class/net")) -> None:
    """Raise ClusterError if the node is gone: its address would then lead out of this machine."""
    if layout.NODE_ADDRESS in credentials.server and not (links / layout.HOST_LINK).exists():
        raise ClusterError("The node does not run: bring it up with `make up`.")


def own_folders(cache: Cache) -> dict[str, str]:
    """Return the settings that keep both tools out of the user's own folders."""
    folder = cache.tool_state
    helm = {f"HELM_{kind}_HOME": str(folder / f"helm-{kind.lower()}") for kind in ("CACHE", "CONFIG", "DATA")}
    return {"KUBECACHEDIR": str(folder / "kubectl"), **helm}


def command(name: str, cache: Cache | None = None, context: str | None = None) -> list[str]:
    """Return kubectl or helm with the arguments that bind it to a cluster.

    Without a context that is our own cluster. With one, it is the user's own kubeconfig and that context.

    Raises:
        ContextError: our kubeconfig is missing or was changed by something else.
        ClusterError: the node that it leads to is gone.
        MachineError: the program was not built yet.
    """
    cache = cache or Cache.from_environment()
    path = str(program(name, cache))
    flag = CONTEXT_FLAGS[name]
    if context and context != kubeconfig.CONTEXT:
        return [path, flag, context]
    require_node(kubeconfig.read(cache.kubeconfig))
    bound = [path, "--kubeconfig", str(cache.kubeconfig), flag, kubeconfig.CONTEXT]
    return ["/usr/bin/env", *(f"{key}={value}" for key, value in own_folders(cache).items()), *bound]


def kubectl_command(cache: Cache | None = None, context: str | None = None) -> list[str]:
    """Return kubectl bound to a cluster: see `command`."""
    return command("kubectl", cache, context)


def helm_command(cache: Cache | None = None, context: str | None = None) -> list[str]:
    """Return helm bound to a cluster: see `command`."""
    return command("helm", cache, context)


def refuse_other_kubeconfig(arguments: Sequence[str]) -> None:
    """Raise ContextError where a kubeconfig is named without a context: that could be any cluster."""
    before_dashes = arguments[: arguments.index("--")] if "--" in arguments else arguments
    if any(a == "--kubeconfig" or a.startswith("--kubeconfig=") for a in before_dashes):
        raise ContextError("--kubeconfig without a context could reach any cluster: name the context too.")


def execute(name: str, arguments: Sequence[str], context: str | None = None) -> None:
    """Become kubectl or helm; does not return."""
    cache = Cache.from_environment()
    named = explicit_context(name, arguments)
    is_offline = name == "helm" and arguments[:1] and arguments[0] in HELM_WITHOUT_CLUSTER
    is_elsewhere = named and named != kubeconfig.CONTEXT
    if is_offline or is_elsewhere:
        full = [str(program(name, cache)), *arguments]
    else:
        if not context:
            refuse_other_kubeconfig(arguments)
        full = [*command(name, cache, context), *arguments]
    sys.stdout.flush()
    os.execv(full[0], full)  # noqa: S606 - the program is the one that we built


def main() -> None:
    """Run `python -m dev.cluster.kubectl kubectl|helm ARGUMENT...`."""
    try:
        execute(sys.argv[1], sys.argv[2:])
    except DevError as error:
        sys.exit(f"{sys.argv[1]}: {error}")


if __name__ == "__main__":
    main()
