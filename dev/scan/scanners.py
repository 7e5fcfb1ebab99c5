"""The scanners: how each is called, and what its report says as findings."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from dev.commands import last_lines
from dev.errors import CommandError
from dev.paths import ROOT
from dev.progress import Reporter
from dev.scan.findings import Finding
from dev.scan.rendered import Document, place

TIMEOUT_S: Final = 900
"""Ten times what the slowest takes on two idle cores."""
SCORE_OK: Final = 7
"""kube-score's grades: 1 critical, 5 warning, 7 nearly right, 10 right."""
KUBERNETES: Final = ("1.31", "1.32", "1.33", "1.34", "1.35", "1.36", "1.37")
CODE: Final = ("contracts", "clients", "operator", "worker", "brain", "bridge", "cli", "demo", "dev")
OFFLINE: Final = {"BC_SKIP_MAPPING": "TRUE"}
"""checkov asks its maker for nothing."""
Commands = list[list[str]]
Report = Any


@dataclass(frozen=True, slots=True)
class Sources:
    """What is looked at, and with what.

    Attributes:
        folder: `objects` below it has every object of the charts once, and the Dockerfiles; `variants`
            has all of each variant.
        dockerfiles: relative to the repository.
        tools: the folder with what requirements/scan.txt pins.
        kube_score: the program, which is none of those.
    """

    folder: Path
    dockerfiles: Sequence[str]
    tools: Path
    kube_score: Path

    def objects(self) -> list[Path]:
        """Return the files with one object each."""
        return sorted((self.folder / "objects").rglob("*.yaml"))


def file_name(document: Document) -> str:
    """Return the name of an object's file."""
    return f"{place(document).replace('/', '__')}.yaml"


def place_of(file: str) -> str:
    """Return what a report's file is called in findings: an object, or a file of the repository."""
    path = Path(file)
    if "__" in path.stem and path.suffix == ".yaml":
        return path.stem.replace("__", "/")
    return (
        str(path.relative_to(ROOT)) if path.is_absolute() and path.is_relative_to(ROOT) else file.lstrip("/")
    )


def checkov_findings(report: Report) -> Iterator[Finding]:
    """Yield checkov's failed checks; what it could not read is one too."""
    for part in report if isinstance(report, list) else [report]:
        results = part.get("results", {})
        for check in results.get("failed_checks", ()):
            yield Finding("checkov", check["check_id"], place_of(check["file_path"]), check["check_name"])
        for file in results.get("parsing_errors", ()):
            yield Finding("checkov", "unread", place_of(file), "cannot be read")


def kube_score_findings(report: Report) -> Iterator[Finding]:
    """Yield what kube-score calls critical or a warning."""
    for scored in report:
        at = f"{scored['type_meta']['kind']}/{scored['object_meta']['name']}"
        for check in scored["checks"] or ():
            if not check["skipped"] and check["grade"] < SCORE_OK:
                said = "; ".join(f"{c['path']} {c['summary']}".strip() for c in check["comments"] or ())
                yield Finding("kube-score", check["check"]["id"], at, said)


def hadolint_findings(report: Report) -> Iterator[Finding]:
    """Yield hadolint's rules that a Dockerfile breaks."""
    for broken in report:
        yield Finding(
            "hadolint",
            broken["code"],
            place_of(broken["file"]),
            f"line {broken['line']}: {broken['message']}",
        )


def bandit_findings(report: Report) -> Iterator[Finding]:
    """Yield bandit's issues, and the files that it could not read."""
    for issue in report["results"]:
        said = f"line {issue['line_number']}: {issue['issue_text']}"
        yield Finding("bandit", issue["test_id"], place_of(issue["filename"]), said)
    for error in report["errors"]:
        yield Finding("bandit", "unread", place_of(error["filename"]), error["reason"])


def schema_findings(report: Report) -> Iterator[Finding]:
    """Yield the objects that a version of Kubernetes would refuse."""
    for version, at, message in report:
        yield Finding("kubernetes-validate", version, at, message)


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _checkov(sources: Sources) -> Commands:
    options = [
        "--skip-download",
        "--compact",
        "--quiet",
        "-o",
        "json",
        "--framework",
        "kubernetes",
        "dockerfile",
    ]
    return [[*_python("checkov.main"), *options, "-d", str(sources.folder / "objects")]]


def _kube_score(sources: Sources) -> Commands:
    # One rule for all limits, and memory's and disk's are wanted.
    options = ["--output-format", "json", "--ignore-container-cpu-limit"]
    score = [str(sources.kube_score), "score", *options]
    variants = sorted((sources.folder / "variants").iterdir())
    return [[*score, *sorted(str(file) for file in variant.iterdir())] for variant in variants]


def _hadolint(sources: Sources) -> Commands:
    files = [str(ROOT / name) for name in sources.dockerfiles]
    return [[str(sources.tools / "bin" / "hadolint"), "--format", "json", *files]]


def _bandit(_: Sources) -> Commands:
    return [[*_python("bandit"), "--quiet", "-r", "-f", "json", *(str(ROOT / folder) for folder in CODE)]]


def _schemas(_: Sources) -> Commands:
    return [[*_python("dev.scan.schemas"), ",".join(KUBERNETES)]]


@dataclass(frozen=True, slots=True)
class Scanner:
    """How a scanner is called, and how a report of it, in JSON, is read."""

    commands: Callable[[Sources], Commands]
    findings: Callable[[Report], Iterator[Finding]]
    reads_objects: bool = False
    """From its standard input, as a list of [place, object]."""


SCANNERS: Final = {
    "checkov": Scanner(_checkov, checkov_findings),
    "kubernetes-validate": Scanner(_schemas, schema_findings, reads_objects=True),
    "bandit": Scanner(_bandit, bandit_findings),
    "kube-score": Scanner(_kube_score, kube_score_findings),
    "hadolint": Scanner(_hadolint, hadolint_findings),
}
"""The slowest first, since two run at a time."""


def run(name: str, sources: Sources, reporter: Reporter) -> list[Finding]:
    """Run a scanner and return what it found; raises CommandError if it made no report."""
    scanner = SCANNERS[name]
    stdin = (
        json.dumps([[place(d), d] for d in map(_loaded, sources.objects())]) if scanner.reads_objects else ""
    )
    with reporter.step(f"Scan with {name}"):
        reports = [_report(name, command, stdin, sources) for command in scanner.commands(sources)]
    return [finding for report in reports for finding in scanner.findings(report)]


def _report(name: str, command: Sequence[str], stdin: str, sources: Sources) -> Report:
    done = subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, cwd=ROOT,
        timeout=TIMEOUT_S, env={**os.environ, **OFFLINE, "PYTHONPATH": str(sources.tools)},
    )  # fmt: skip
    try:
        return json.loads(done.stdout)
    except ValueError as error:
        raise CommandError(f"{name} made no report:\n{last_lines(done.stderr or done.stdout)}") from error


def _loaded(file: Path) -> Document:
    return dict(yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader))
