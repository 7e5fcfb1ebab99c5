"""Which images there are, and the key of each: a digest of all that goes into it.

What an image is made of is read from its Dockerfile's COPY lines, so that the two cannot disagree.
"""

import shlex
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dev.artefacts.content import content_key, files_below
from dev.paths import ROOT

REGISTRY = "localhost"
MOVING_TAG = "dev"
"""Names the newest build, beside the key."""


@dataclass(frozen=True, slots=True)
class Image:
    """One image: its name, its Dockerfile, and the chart values that choose its tag."""

    name: str
    dockerfile: str
    release: str
    chart_value: str

    def reference(self, tag: str) -> str:
        """Return the image's full name with a tag."""
        return f"{REGISTRY}/{self.name}:{tag}"


IMAGES = tuple(
    Image(f"gather-{name}", f"{folder}/Dockerfile", release, f"{name}.image.tag")
    for name, folder, release in (
        *(
            (store, f"dev/images/dockerfiles/{store}", "gather-backing")
            for store in ("neo4j", "mongodb", "redis")
        ),
        *((room, room, "gather") for room in ("brain", "operator", "worker", "bridge")),
        ("demo", "demo", "gather-backing"),
    )
)
"""The slowest first, since two are built at a time."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What a Dockerfile copies in: paths of the repository, and named build contexts."""

    sources: tuple[str, ...]
    contexts: tuple[str, ...]


def _instructions(dockerfile: str) -> Iterator[list[str]]:
    joined = dockerfile.replace("\\\n", " ")
    lines = (line for line in joined.splitlines() if not line.lstrip().startswith("#"))
    return (words for words in map(shlex.split, lines) if words)


def copied(dockerfile: str) -> Copied:
    """Return what a Dockerfile copies from outside of its own stages."""
    stages: set[str] = set()
    sources: list[str] = []
    contexts: list[str] = []
    for word, *rest in _instructions(dockerfile):
        if word == "FROM" and "AS" in rest:
            stages.add(rest[-1])
        if word != "COPY":
            continue
        origin = rest[0].removeprefix("--from=") if rest[0].startswith("--from=") else None
        if origin is None:
            sources += rest[:-1]
        elif origin not in stages:
            contexts.append(origin)
    return Copied(tuple(sources), tuple(contexts))


def copied_into(image: Image, root: Path) -> Copied:
    """Return what the image's Dockerfile below `root` copies in."""
    return copied((root / image.dockerfile).read_text(encoding="utf-8"))


def snapshot(images: Iterable[Image], target: Path, root: Path = ROOT) -> None:
    """Copy all that the images are made of, so that key and build see the same files while others edit."""
    for image in images:
        for source in (image.dockerfile, *copied_into(image, root).sources):
            for file in files_below(root / source):
                copy = target / file.relative_to(root)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(file, copy)


def image_key(image: Image, base_key: str, context_versions: Mapping[str, str], root: Path) -> str:
    """Return the key of an image: another Dockerfile, source, base or build context gives another key."""
    found = copied_into(image, root)
    versions = [f"{name}={context_versions[name]}" for name in found.contexts]
    return content_key(root, (image.dockerfile, *found.sources), (base_key, *versions))


def chart_settings(tags: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return, per release, the chart values that name the images' tags (image name to tag)."""
    settings: dict[str, dict[str, str]] = {}
    for image in IMAGES:
        if image.name in tags:
            settings.setdefault(image.release, {})[image.chart_value] = tags[image.name]
    return settings
