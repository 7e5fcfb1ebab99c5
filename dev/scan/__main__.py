"""`python -m dev.scan`, called by `make scan`: run all scanners, or those named; say what nobody accepted."""

import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

import yaml

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.artefacts.go_programs import HELM, KUBE_SCORE, ensure_programs
from dev.errors import DevError
from dev.images.specs import IMAGES
from dev.package.python_tools import python_tool
from dev.paths import ROOT
from dev.progress import Reporter
from dev.scan.findings import Finding, failures, parse_accepted
from dev.scan.rendered import Document, Helm, Variant, variants
from dev.scan.scanners import KUBERNETES, SCANNERS, Sources, file_name, run

ACCEPTED: Final = ROOT / "dev" / "scan" / "accepted.toml"
LINT: Final = "helm-lint"
AT_ONCE: Final = 2


def lint(helm: Helm, every: Sequence[Variant]) -> list[Finding]:
    """Return what `helm lint --strict` says for the oldest and the newest Kubernetes."""
    found = []
    for variant in every:
        for version in (KUBERNETES[0], KUBERNETES[-1]):
            done = helm.run("lint", "--strict", "--quiet", "--kube-version", version, *variant.arguments())
            if done.returncode:
                found.append(Finding(LINT, version, variant.name, done.stdout + done.stderr))
    return found


def write(folder: Path, rendered: Mapping[str, Sequence[Document]]) -> None:
    """Write a folder for each variant, and one with the Dockerfiles and every object that differs."""
    seen: set[str] = set()
    for name, documents in rendered.items():
        for document in documents:
            text = yaml.dump(document, Dumper=yaml.CSafeDumper)
            for kind in ("variants", *(() if text in seen else ("objects",))):
                file = folder / kind / name / file_name(document)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text, "utf-8")
            seen.add(text)
    for image in IMAGES:
        copy = folder / "objects" / image.dockerfile
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / image.dockerfile, copy)


def scan(wanted: Sequence[str], cache: Cache, reporter: Reporter) -> list[Finding]:
    """Return what the scanners of those names find."""
    ensure_programs([HELM, *([KUBE_SCORE] if KUBE_SCORE.name in wanted else [])], cache, reporter)
    helm = Helm(HELM.folder(cache) / "helm", cache)
    with tempfile.TemporaryDirectory(prefix="gather-scan-") as folder:
        with reporter.step("Render the charts"):
            write(Path(folder), {variant.name: helm.render(variant) for variant in variants()})
        sources = Sources(
            folder=Path(folder),
            dockerfiles=[image.dockerfile for image in IMAGES],
            tools=python_tool("scan", Artefacts(cache, reporter)),
            kube_score=KUBE_SCORE.folder(cache) / KUBE_SCORE.name,
        )
        with ThreadPoolExecutor(AT_ONCE) as pool:
            names = [name for name in SCANNERS if name in wanted]
            parts = list(pool.map(partial(run, sources=sources, reporter=reporter), names))
    if LINT in wanted:
        with reporter.step("Scan with helm lint"):
            parts.append(lint(helm, variants()))
    return [finding for part in parts for finding in part]


def main() -> None:
    """Scan, and end with 1 if something is found that nobody accepted."""
    wanted = sys.argv[1:] or [LINT, *SCANNERS]
    if unknown := sorted(set(wanted) - {LINT, *SCANNERS}):
        sys.exit(f"No scanner is called {', '.join(unknown)}; there are {', '.join((LINT, *SCANNERS))}.")
    cache = Cache.from_environment()
    reporter = Reporter.remembering(cache)
    try:
        findings = scan(wanted, cache, reporter)
    except DevError as error:
        sys.exit(str(error))
    wrong = failures(findings, parse_accepted(ACCEPTED.read_text("utf-8")), wanted)
    reporter.say(f"{len(set(findings))} findings, {len(wrong)} to be mended or accepted")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
