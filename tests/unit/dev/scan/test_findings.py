"""Which findings fail a scan: those that nothing accepts, and what is accepted and never found."""

import pytest

from dev.scan.__main__ import ACCEPTED
from dev.scan.findings import Finding, failures, parse_accepted
from dev.scan.scanners import (
    SCANNERS,
    bandit_findings,
    checkov_findings,
    hadolint_findings,
    kube_score_findings,
)

TEXT = """
[[accepted]]
scanner = "checkov"
rules = ["CKV_1", "CKV_2"]
places = ["Pod/*-test-*", "Job/x"]
reason = "A pod of a test lives for a second."
"""
POD = Finding("checkov", "CKV_1", "Pod/a-test-b", "no digest")
JOB = Finding("checkov", "CKV_2", "Job/x", "no probe")


def test_what_is_accepted_at_its_place_is_no_failure() -> None:
    assert failures([POD, JOB, POD], parse_accepted(TEXT), ["checkov"]) == []


@pytest.mark.parametrize(
    "other",
    [
        Finding("checkov", "CKV_1", "Deployment/a", "no digest"),
        Finding("checkov", "CKV_3", "Pod/a-test-b", "no digest"),
        Finding("bandit", "CKV_1", "Pod/a-test-b", "no digest"),
    ],
)
def test_another_place_rule_or_scanner_is_a_failure(other: Finding) -> None:
    (line,) = failures([POD, JOB, other], parse_accepted(TEXT), ["checkov"])
    assert line == f"{other.scanner} {other.rule}: {other.place}: no digest"


def test_what_is_accepted_and_not_found_is_a_failure_where_its_scanner_ran() -> None:
    """Its rule, and its place."""
    (line,) = failures([POD], parse_accepted(TEXT), ["checkov"])
    assert "nothing is found of CKV_2, Job/x" in line
    assert failures([], parse_accepted(TEXT), ["bandit"]) == []


def test_nothing_is_accepted_without_a_reason() -> None:
    with pytest.raises(ValueError, match="the reason says too little"):
        parse_accepted(TEXT.replace("A pod of a test lives for a second.", "fine"))
    with pytest.raises(TypeError, match="reason"):
        parse_accepted('[[accepted]]\nscanner = "a"\nrules = []\nplaces = []\n')


def test_what_is_accepted_names_scanners_that_there_are() -> None:
    assert {entry.scanner for entry in parse_accepted(ACCEPTED.read_text("utf-8"))} <= {*SCANNERS}


def test_checkov_reports_one_kind_or_several() -> None:
    """A list of reports, or one; and nothing to look at."""
    failed = {"check_id": "CKV_1", "check_name": "no digest", "file_path": "/default/Pod__a-test-b.yaml"}
    report = {"results": {"failed_checks": [failed], "parsing_errors": ["/brain/Dockerfile"]}}
    unread = Finding("checkov", "unread", "brain/Dockerfile", "cannot be read")
    assert list(checkov_findings(report)) == [POD, unread]
    assert list(checkov_findings([report, {"passed": 0}])) == [POD, unread]


def test_kube_score_counts_warnings_and_not_what_it_skipped() -> None:
    def check(name: str, grade: int, *, skipped: bool = False) -> dict[str, object]:
        comments = [{"path": "brain", "summary": "none"}] if grade < 7 else None
        return {"check": {"id": name}, "grade": grade, "skipped": skipped, "comments": comments}

    checks = [check("a", 1), check("b", 5), check("c", 10), check("d", 1, skipped=True)]
    report = [{"type_meta": {"kind": "Pod"}, "object_meta": {"name": "x"}, "checks": checks}]
    found = list(kube_score_findings(report))
    assert [(finding.rule, finding.place) for finding in found] == [("a", "Pod/x"), ("b", "Pod/x")]
    assert found[0].message == "brain none"


def test_other_reports_are_read_by_file() -> None:
    broken = {"code": "DL1", "file": "brain/Dockerfile", "line": 3, "message": "m"}
    assert list(hadolint_findings([broken])) == [Finding("hadolint", "DL1", "brain/Dockerfile", "line 3: m")]
    issue = {"test_id": "B1", "filename": "dev/a.py", "line_number": 2, "issue_text": "m"}
    errors = [{"filename": "dev/b.py", "reason": "syntax"}]
    assert list(bandit_findings({"results": [issue], "errors": errors})) == [
        Finding("bandit", "B1", "dev/a.py", "line 2: m"),
        Finding("bandit", "unread", "dev/b.py", "syntax"),
    ]
