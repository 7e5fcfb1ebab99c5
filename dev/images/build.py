"""Build the images and give them to the node: only those that changed, two at a time.

An image's tag is the key of its content (`dev/images/specs.py`), so that what is there already is known
by its name alone. The tag `dev` names the newest build, for charts installed by hand.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.artefacts.embedding_models import EmbeddingModels, models_key
from dev.artefacts.page_assets import PageAssets, assets_key
from dev.artefacts.store_binaries import StoreArtefacts
from dev.artefacts.versions import NEO4J
from dev.artefacts.wheels import REQUIREMENTS, requirements_key
from dev.cluster.docker import docker_answers, has_buildx
from dev.cluster.provider import Provider
from dev.errors import MachineError
from dev.images.archives import read_files
from dev.images.buildah import BuildahBuilder
from dev.images.builders import Builder, DockerBuilder
from dev.images.specs import IMAGES, MOVING_TAG, Image, copied_into, image_key, snapshot
from dev.progress import Reporter

AT_ONCE = 2
"""Installing is mostly waiting for packages, unpacking and compiling; two keep two cores busy."""


def select(names: Iterable[str]) -> list[Image]:
    """Return the images of those names, with or without `gather-`; all of them if there are none.

    Raises:
        MachineError: there is no image of that name.
    """
    known = {image.name.removeprefix("gather-"): image for image in IMAGES}
    wanted = [name.removeprefix("gather-") for name in names]
    if unknown := sorted(set(wanted) - set(known)):
        raise MachineError(f"No image is called {', '.join(unknown)}; there are {', '.join(known)}.")
    return [known[name] for name in wanted] or list(IMAGES)


def context_versions() -> dict[str, str]:
    """Return the version of each named build context."""
    return {
        "program": requirements_key(REQUIREMENTS / "mongodb.txt"),
        "jre": requirements_key(REQUIREMENTS / "jre.txt"),
        "jars": NEO4J,
        "page": assets_key(),
        "models": models_key(),
    }


def context_folders(programs: StoreArtefacts) -> dict[str, Callable[[], Path]]:
    """Return what gets the folder of each named build context."""
    return {
        "program": lambda: programs.mongod().parent,
        "jre": programs.jre,
        "jars": programs.neo4j_jars,
        "page": PageAssets(programs.artefacts).folder,
        "models": EmbeddingModels(programs.artefacts).all,
    }


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The sources of some images at one moment, and the key of each."""

    root: Path
    keys: Mapping[Image, str]

    @property
    def tags(self) -> dict[str, str]:
        """Each image's tag, by its name."""
        return {image.name: key for image, key in self.keys.items()}


@dataclass(frozen=True, slots=True)
class Images:
    """The images of this repository as they are now."""

    cache: Cache
    reporter: Reporter
    builder: Builder

    @classmethod
    def from_environment(cls, cache: Cache, reporter: Reporter) -> "Images":
        """Return the images, built by Docker where its engine answers and has buildx."""
        has_docker = docker_answers() and has_buildx()
        builder = DockerBuilder(cache) if has_docker else BuildahBuilder(cache, reporter)
        return cls(cache, reporter, builder)

    def build(self, names: Iterable[str] = (), until: Callable[[], bool] = lambda: False) -> dict[str, str]:
        """Build what changed since its last build; returns each image's tag.

        No image is begun once `until` returns true.
        """
        with self._snapshot(select(names)) as now:

            def build_in_time(image: Image) -> None:
                if not until():
                    self._build(image, now)

            with self._locked():
                self._each(self._missing(now.keys), build_in_time)
            return now.tags

    def load(self, provider: Provider, names: Iterable[str] = ()) -> dict[str, str]:
        """Build what changed, and give the node what it has not got; returns each image's tag."""
        with self._snapshot(select(names)) as now:
            present = provider.images()
            absent = {i: key for i, key in now.keys.items() if i.reference(key) not in present}
            if absent:
                with self._locked():
                    missing = self._missing(absent)
                    self._each(absent, lambda image: self._deliver(image, now, missing, provider))
            return now.tags

    def publish(
        self, names: Iterable[str], registry: str, version: str, *, plain_http: bool
    ) -> dict[str, str]:
        """Build what changed and push it as `registry/room:version`; returns each room's digest there."""
        tags = self.build(names)
        digests = {}
        for image in select(names):
            room = image.name.removeprefix("gather-")
            with self.reporter.step(f"Push {image.name}"):
                target = f"{registry}/{room}:{version}"
                digests[room] = self.builder.push(image, tags[image.name], target, plain_http=plain_http)
        return digests

    def contents(
        self, names: Iterable[str], wanted: Callable[[PurePosixPath], bool]
    ) -> dict[str, dict[PurePosixPath, bytes]]:
        """Build what changed, and return each room's files whose path in the image is wanted."""
        tags = self.build(names)
        found = {}
        for image in select(names):
            with tempfile.TemporaryDirectory(dir=self.cache.root, prefix="archive-") as folder:
                archive = Path(folder) / "image.tar"
                self.builder.save(image, (tags[image.name],), archive)
                found[image.name.removeprefix("gather-")] = read_files(archive, wanted)
        return found

    @contextmanager
    def _snapshot(self, images: list[Image]) -> Iterator[Snapshot]:
        versions = context_versions()
        with tempfile.TemporaryDirectory(prefix="gather-source-") as folder:
            root = Path(folder)
            snapshot(images, root)
            yield Snapshot(root, {i: image_key(i, self.builder.base_key, versions, root) for i in images})

    def _locked(self) -> AbstractContextManager[None]:
        return Artefacts(self.cache, self.reporter).locked("images")

    def _missing(self, keys: Mapping[Image, str]) -> dict[Image, str]:
        """Return what has to be built, with the builder ready for it."""
        present = self.builder.references()
        missing = {image: key for image, key in keys.items() if image.reference(key) not in present}
        if missing:
            self.builder.prepare()
        return missing

    def _each(self, images: Iterable[Image], work: Callable[[Image], None]) -> None:
        """Do the work for each image, some at once; after an error no further one is begun."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            running = [pool.submit(work, image) for image in images]
            try:
                for done in as_completed(running):
                    done.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _build(self, image: Image, now: Snapshot) -> None:
        folders = context_folders(StoreArtefacts(Artefacts(self.cache, self.reporter)))
        contexts = {name: folders[name]() for name in copied_into(image, now.root).contexts}
        with self.reporter.step(f"Build {image.name}", builds="images"):
            self.builder.build(image, (now.keys[image], MOVING_TAG), now.root, contexts)

    def _deliver(self, image: Image, now: Snapshot, missing: Mapping[Image, str], provider: Provider) -> None:
        if image in missing:
            self._build(image, now)
        with (
            tempfile.TemporaryDirectory(dir=self.cache.root, prefix="archive-") as folder,
            self.reporter.step(f"Load {image.name}") as step,
        ):
            archive = Path(folder) / f"{image.name}.tar"
            step.waits_for("the archive")
            self.builder.save(image, (now.keys[image], MOVING_TAG), archive)
            step.waits_for("the node")
            provider.load_image(archive)
