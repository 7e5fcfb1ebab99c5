"""Build the images and give them to the node: only those that changed, two at a time.

An image's tag is the key of its content (`dev/image_specs.py`), so that what is there already is known
by its name alone. The tag `dev` names the newest build, for charts installed by hand.
"""

import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from dev.artefacts import Artefacts
from dev.buildah import BuildahBuilder
from dev.builders import Builder, DockerBuilder
from dev.cache import Cache
from dev.errors import MachineError
from dev.image_specs import IMAGES, MOVING_TAG, ROOT, Image, copied, image_key
from dev.kind import docker_answers
from dev.progress import Reporter
from dev.providers import Provider
from dev.store_artefacts import REQUIREMENTS, StoreArtefacts, requirements_key
from dev.versions import NEO4J

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
    }


def context_folders(programs: StoreArtefacts) -> dict[str, Callable[[], Path]]:
    """Return what gets the folder of each named build context."""
    return {
        "program": lambda: programs.mongod().parent,
        "jre": programs.jre,
        "jars": programs.neo4j_jars,
    }


@dataclass(frozen=True, slots=True)
class Images:
    """The images of this repository as they are now."""

    cache: Cache
    reporter: Reporter
    builder: Builder

    @classmethod
    def from_environment(cls, cache: Cache, reporter: Reporter) -> "Images":
        """Return the images, built by Docker where its engine answers."""
        builder = DockerBuilder(cache) if docker_answers() else BuildahBuilder(cache, reporter)
        return cls(cache, reporter, builder)

    def keys(self, images: Iterable[Image]) -> dict[Image, str]:
        """Return each image's key."""
        versions = context_versions()
        return {image: image_key(image, self.builder.base_key, versions) for image in images}

    def build(self, names: Iterable[str] = ()) -> dict[str, str]:
        """Build what changed since its last build; returns each image's tag."""
        keys = self.keys(select(names))
        with self._locked():
            self._each(self._missing(keys), lambda image: self._build(image, keys[image]))
        return {image.name: key for image, key in keys.items()}

    def load(self, provider: Provider, names: Iterable[str] = ()) -> dict[str, str]:
        """Build what changed, and give the node what it has not got; returns each image's tag."""
        keys = self.keys(select(names))
        present = provider.images()
        absent = {image: key for image, key in keys.items() if image.reference(key) not in present}
        if absent:
            with self._locked():
                missing = self._missing(absent)
                self._each(absent, lambda image: self._deliver(image, absent[image], missing, provider))
        return {image.name: key for image, key in keys.items()}

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
        """Do the work for each image, some at once; the first error is raised when all have ended."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            running = [pool.submit(work, image) for image in images]
        for done in running:
            done.result()

    def _build(self, image: Image, key: str) -> None:
        programs = StoreArtefacts(Artefacts(self.cache, self.reporter))
        folders = context_folders(programs)
        wanted = copied((ROOT / image.dockerfile).read_text(encoding="utf-8")).contexts
        contexts = {name: folders[name]() for name in wanted}
        with self.reporter.step(f"Build {image.name}"):
            self.builder.build(image, (key, MOVING_TAG), contexts)

    def _deliver(self, image: Image, key: str, missing: Mapping[Image, str], provider: Provider) -> None:
        if image in missing:
            self._build(image, key)
        with tempfile.TemporaryDirectory(dir=self.cache.root, prefix="archive-") as folder:
            archive = Path(folder) / f"{image.name}.tar"
            with self.reporter.step(f"Load {image.name}") as step:
                step.waits_for("the archive")
                self.builder.save(image, (key, MOVING_TAG), archive)
                step.waits_for("the node")
                provider.load_image(archive)
