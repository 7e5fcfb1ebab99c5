"""`gather doctor`: what is wrong with an installation, and what to do."""

from typing import Annotated, Final

import typer

from gather_cli.commands.options import (
    Context,
    Form,
    Kubeconfig,
    Namespace,
    Output,
    RequestTimeout,
    open_runs,
)
from gather_cli.doctor.checks import diagnose
from gather_cli.doctor.cluster_facts import Facts, Gathering
from gather_cli.doctor.diagnosis import Finding, as_data, as_lines, exit_code_of, skip, sorted_findings
from gather_cli.doctor.probe_job import probe
from gather_cli.doctor.worker_report import findings_in
from gather_cli.views.printing import print_data, print_line
from gather_cli.views.terminal import stdout_terminal

HELP = """\
Find out what is wrong with an installation of Gather, and what to do about it. Nothing is changed.

It reads what the Kubernetes API shows: CRD, Deployments, pods and their last lines, the names of Secrets'
keys, Lease, rights, nodes, quotas, policies, webhooks, and what runs say. What you may not read is
reported and left out. With --probe a short Job checks from inside, as a worker: MongoDB, Redis, brain, model
and its key, Celery, CMS; nothing is paid.

Exit code 0: runs can work. 1: something is wrong. With --strict warnings count too.

Examples:

  gather doctor -n gather
  gather doctor -n gather --probe         # takes up to a minute
  gather doctor -o json | jq -r '.findings[] | select(.status == "fail") | .fix'
"""
PROBE_S: Final = 180.0


def doctor(
    is_probing: Annotated[
        bool, typer.Option("--probe", help="Check from inside the cluster too, by a short Job.")
    ] = False,
    project: Annotated[
        str | None,
        typer.Option("--project", help="With --probe: look at this project's rights and notes too."),
    ] = None,
    release: Annotated[
        str | None, typer.Option("--release", help="The release, where a namespace has several.")
    ] = None,
    is_strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for warnings too.")] = False,
    timeout: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds for the Job of --probe.")
    ] = PROBE_S,
    output: Output = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    request_timeout: RequestTimeout = None,
) -> None:
    runs = open_runs(namespace, context, kubeconfig, request_timeout)
    facts = Gathering(runs.server, runs.namespace, release).gather()
    findings = diagnose(facts)
    if is_probing and facts.release is not None:
        typer.echo("A Job checks from inside the cluster ...", err=True)
        findings += probe(runs.server, facts.release, facts.namespace, project, timeout)
    else:
        findings += _earlier_check(facts)
    findings = sorted_findings(findings)
    code = exit_code_of(findings, is_strict=is_strict)
    if output in {Form.JSON, Form.YAML}:
        print_data(output.value, as_data(findings, code))
    else:
        for line in as_lines(findings, stdout_terminal()):
            print_line(line)
    raise typer.Exit(int(code))


def _earlier_check(facts: Facts) -> list[Finding]:
    """Return what a pod of `helm test` that failed has left in its log."""
    found = [finding for text in facts.logs.values() for finding in findings_in(text)]
    if found or facts.release is None:
        return found
    return [
        skip(
            "From inside",
            "what only a pod can see, such as keys and addresses, was not tried",
            "gather doctor --probe",
        )
    ]
