"""`python -m dev release`: a version out of what the changelog has under "Unreleased"."""

import re
from datetime import UTC, datetime
from typing import Annotated, Final

import typer

from dev.artefacts import go_programs
from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.cluster import kubectl
from dev.errors import MachineError
from dev.images.build import Images
from dev.paths import ROOT
from dev.progress import Reporter
from dev.release import bundle, repository
from dev.release.image_contents import is_wanted
from dev.release.release_plan import Plan, ReleaseError, plan
from dev.release.version_texts import CHANGELOG, FILES, notes_of, with_version

FOLDER: Final = ROOT / "dist" / "release"
REGISTRY: Final = re.compile(r"[a-z0-9.-]+(:\d+)?(/[a-z0-9][a-z0-9._-]*)+")

app = typer.Typer()


@app.command(epilog="Example: python -m dev release 0.2.0 --registry registry.example.com/gather")
def release(
    version: Annotated[str, typer.Argument(help="Three numbers, above those of the last release.")],
    registry: Annotated[
        str, typer.Option(help="Where images and chart go, host/path. Empty: only show what would be done.")
    ] = "",
    plain_http: Annotated[bool, typer.Option("--plain-http", help="The registry has no TLS.")] = False,
) -> None:
    """Release a version: commit it, build and publish all that belongs to it, and tag the commit at the end.

    Without --registry nothing is changed. Run again after a failure, it goes on where it was. Commit and tag
    stay here until you push them.
    """
    todo = plan(version, repository.read_state())
    reporter = Reporter()
    for line in steps(todo, registry or "REGISTRY"):
        reporter.say(line)
    if not registry:
        reporter.say("Nothing was changed; REGISTRY=host/path does it.")
        return
    if not REGISTRY.fullmatch(registry):
        raise ReleaseError(
            f"{registry!r} is no registry with a path: write host/path, such as registry.example.com/gather."
        )
    if todo.sets_version:
        day = datetime.now(UTC).date().isoformat()
        repository.commit(with_version(repository.read_texts(), version, day), version)
    _publish(version, registry, plain_http=plain_http)
    if todo.tags:
        repository.tag(todo.tag, notes_of((ROOT / CHANGELOG).read_text("utf-8"), version))
    reporter.say(f"{version} is released. `git push origin HEAD {todo.tag}` shows it to others.")


def steps(todo: Plan, registry: str) -> list[str]:
    """Return what is to be done, a line for each step."""
    chart = f"oci://{registry}/{bundle.CHARTS_PATH}/gather"
    return [
        *(
            [f"Commit the version and the changelog: {', '.join(map(str, FILES))}"]
            if todo.sets_version
            else []
        ),
        f"Build and push {registry}/{{{','.join(bundle.ROOMS)}}}:{todo.version}",
        f"Package and push {chart} {todo.version}",
        f"Write chart, CRD, command line, SBOMs, digests, notes and sums into dist/release/{todo.version}",
        *([f"Tag the commit {todo.tag}"] if todo.tags else [f"{todo.tag} is this commit already"]),
    ]


def _publish(version: str, registry: str, *, plain_http: bool) -> None:
    """Build and push images and chart, and write the release's folder."""
    cache = Cache.from_environment()
    reporter = Reporter.remembering(cache)
    folder = FOLDER / version
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.iterdir():
        left.unlink()
    images = Images.from_environment(cache, reporter)
    digests = images.publish(bundle.ROOMS, registry, version, plain_http=plain_http)
    try:
        helm = kubectl.program("helm", cache)
    except MachineError:
        go_programs.ensure_programs((go_programs.HELM,), cache, reporter)
        helm = kubectl.program("helm", cache)
    with reporter.step("Package and push the chart"):
        if not bundle.write_chart(folder, version, registry, helm, plain_http=plain_http):
            bundle.push_chart(folder, version, registry, helm, plain_http=plain_http)
    with reporter.step("Write what goes with the release"):
        contents = images.contents(bundle.ROOMS, is_wanted)
        bundle.write_files(folder, version, digests, contents, Artefacts(cache, reporter))
