"""Checks: facts in, findings out; pure. Each names a cause and what to do."""

from collections.abc import Callable, Iterator
from typing import Final

from gather_cli.doctor.checks.access_checks import check_crd, check_refused, check_release, check_rights
from gather_cli.doctor.checks.capacity_checks import check_limit_ranges, check_nodes, check_quotas
from gather_cli.doctor.checks.queue_checks import check_queues
from gather_cli.doctor.checks.room_checks import check_lease, check_parts, check_rooms, check_secrets
from gather_cli.doctor.checks.run_checks import check_runs
from gather_cli.doctor.checks.traffic_checks import check_policies, check_webhooks
from gather_cli.doctor.cluster_facts import Facts
from gather_cli.doctor.diagnosis import Finding, sorted_findings

Check = Callable[[Facts], Iterator[Finding]]
CHECKS: Final[tuple[Check, ...]] = (
    check_crd, check_release, check_secrets, check_parts, check_rooms, check_queues, check_lease,
    check_rights, check_nodes, check_quotas, check_limit_ranges, check_webhooks, check_policies, check_runs,
    check_refused,
)  # fmt: skip


def diagnose(facts: Facts) -> list[Finding]:
    """Return all findings, what is wrong first."""
    return sorted_findings(finding for check in CHECKS for finding in check(facts))
