"""What can build an image, and Docker, which does so where its engine answers; the other is buildah."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dev.artefacts.cache import Cache
from dev.commands import output_of, run_logged
from dev.images.specs import Image

BUILD_TIMEOUT_S = 1800
"""Some 150 MB of packages over a slow line."""
SAVE_TIMEOUT_S = 600
PUSH_TIMEOUT_S = 1800
"""The brain's image is 500 MB, and a line up may be slow."""
DOCKER_BASE = "python:3.12-slim-bookworm"


class Builder(Protocol):
    """A program that builds images and keeps them."""

    @property
    def base_key(self) -> str:
        """What the base image depends on."""
        ...

    def prepare(self) -> None:
        """Get ready to build: install what is missing, make the base image."""
        ...

    def references(self) -> frozenset[str]:
        """Return the full names of the images that are there."""
        ...

    def build(self, image: Image, tags: Sequence[str], source: Path, contexts: Mapping[str, Path]) -> None:
        """Build an image under those tags from a source folder and named build contexts."""
        ...

    def save(self, image: Image, tags: Sequence[str], archive: Path) -> None:
        """Write an image with those tags into a docker-archive."""
        ...

    def push(self, image: Image, tag: str, target: str, *, plain_http: bool) -> str:
        """Give a registry the image as `target`, host/path:tag; return the digest that it has there."""
        ...


def build_arguments(
    image: Image, tags: Sequence[str], contexts: Mapping[str, Path], bases: Mapping[str, str]
) -> list[str]:
    """Return the arguments that Docker and buildah share."""
    arguments = ["--network", "host", "-f", image.dockerfile]
    for name, value in bases.items():
        arguments += ["--build-arg", f"{name}={value}"]
    for name, folder in sorted(contexts.items()):
        arguments += ["--build-context", f"{name}={folder}"]
    for tag in tags:
        arguments += ["-t", image.reference(tag)]
    return [*arguments, "."]


@dataclass(frozen=True, slots=True)
class DockerBuilder:
    """Builds with the Docker engine; pip's configuration is the engine's own affair."""

    cache: Cache
    base_key: str = DOCKER_BASE

    def prepare(self) -> None:
        """Nothing: the engine answered, and gets its base image when it builds."""

    def references(self) -> frozenset[str]:
        """Return the full names of the engine's images."""
        return frozenset(output_of(["docker", "images", "--format", "{{.Repository}}:{{.Tag}}"]).split())

    def build(self, image: Image, tags: Sequence[str], source: Path, contexts: Mapping[str, Path]) -> None:
        """Build with BuildKit, which named build contexts and cache mounts need."""
        command = ["docker", "build", *build_arguments(image, tags, contexts, {"BASE": DOCKER_BASE})]
        log = self.cache.logs / f"image-{image.name}.log"
        run_logged(command, log, timeout_s=BUILD_TIMEOUT_S, env={"DOCKER_BUILDKIT": "1"}, cwd=source)

    def save(self, image: Image, tags: Sequence[str], archive: Path) -> None:
        """Write the image into an archive."""
        names = [image.reference(tag) for tag in tags]
        output_of(["docker", "save", "-o", str(archive), *names], timeout_s=SAVE_TIMEOUT_S)

    def push(self, image: Image, tag: str, target: str, *, plain_http: bool) -> str:  # noqa: ARG002
        """Push by the engine, whose own settings say which registries have no TLS (those of this machine)."""
        output_of(["docker", "tag", image.reference(tag), target])
        output_of(["docker", "push", "--quiet", target], timeout_s=PUSH_TIMEOUT_S)
        known = json.loads(output_of(["docker", "inspect", "--format", "{{json .RepoDigests}}", target]))
        repository = target.rpartition(":")[0]
        (digest,) = (name.partition("@")[2] for name in known if name.startswith(f"{repository}@"))
        return str(digest)
