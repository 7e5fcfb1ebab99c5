"""Install the two charts into the cluster with Helm, the only way in which Gather is deployed."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from dev.commands import output_of
from dev.errors import CommandError, DevError
from dev.paths import ROOT

BACKING_RELEASE = "gather-backing"
RELEASE = "gather"
INSTALL_TIMEOUT_S = 420
"""A cold Neo4j on two busy cores takes up to two minutes; three times that means a fault."""

RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}


class DeployError(DevError):
    """A chart could not be installed; the message holds Helm's output and the pods' state."""


@dataclass(frozen=True)
class Tools:
    """The commands that reach the cluster: each is a program with its leading arguments."""

    kubectl: Sequence[str]
    helm: Sequence[str]


def helm_install_command(
    helm: Sequence[str],
    release: str,
    namespace: str,
    settings: Mapping[str, str],
    texts: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the Helm command that installs or upgrades a release of the chart with the same name.

    A cluster has one CRD: the newest release takes it over, and it is kept when that release goes. `texts`
    are values that Helm shall take as they are, whatever characters are in them.
    """
    chart = ROOT / "charts" / release
    command = [
        *helm, "upgrade", "--install", release, str(chart), "--namespace", namespace,
        "--values", str(chart / "values-dev.yaml"), "--take-ownership",
        "--wait", "--timeout", f"{INSTALL_TIMEOUT_S}s",
    ]  # fmt: skip
    for key, value in sorted(settings.items()):
        command += ["--set-string" if key.endswith(".tag") else "--set", f"{key}={value}"]
    for key, value in sorted((texts or {}).items()):
        command += ["--set-literal", f"{key}={value}"]
    return command


def namespace_manifest(namespace: str) -> str:
    """Return a namespace that admits only pods of the restricted security profile."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": RESTRICTED}}
    return json.dumps(body)


def deploy(
    tools: Tools,
    namespace: str,
    image_settings: Mapping[str, Mapping[str, str]],
    say: Callable[[str], None],
    texts: Mapping[str, str] | None = None,
) -> None:
    """Install both charts and wait until every pod is ready.

    Args:
        tools: kubectl and helm, bound to the cluster.
        namespace: where both releases live; made if missing.
        image_settings: per release, the chart values that name the images' tags.
        say: gets what is waited for.
        texts: further values of the chart `gather`, taken as they are.

    Raises:
        DeployError: a chart did not install within `INSTALL_TIMEOUT_S`.
    """
    apply = [*tools.kubectl, "apply", "--server-side", "--force-conflicts", "-f", "-"]
    output_of(apply, stdin=namespace_manifest(namespace))
    say("the pods of both charts")

    def install(release: str) -> None:
        settings = image_settings.get(release, {})
        further = texts if release == RELEASE else None
        command = helm_install_command(tools.helm, release, namespace, settings, further)
        try:
            output_of(command, timeout_s=INSTALL_TIMEOUT_S + 60)
        except CommandError as error:
            raise DeployError(f"{error}\n{_pods_and_events(tools, namespace)}") from error

    # Both at once: Gather's pods wait for their stores by themselves.
    with ThreadPoolExecutor() as pool:
        running = [pool.submit(install, release) for release in (BACKING_RELEASE, RELEASE)]
    for done in running:
        done.result()


def _pods_and_events(tools: Tools, namespace: str) -> str:
    """Return what the namespace's pods last said; a failure to ask hides no other error."""
    try:
        return output_of([*tools.kubectl, "-n", namespace, "get", "pods,events"])[-4000:]
    except CommandError as error:
        return str(error)
