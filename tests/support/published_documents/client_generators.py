"""Public generators of API clients: each makes one of a document of ours, compiles it and lets it call.

`tests/data/clients/` has a folder for each: what pins its version, and a program that calls every operation
of the brain. Commands run in a copy of it, beside `openapi.json`.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.artefacts.content import content_key
from dev.artefacts.debian_packages import ensure_packages
from dev.artefacts.go_toolchain import ensure_go, go_environment
from dev.artefacts.npm_packages import NPM_PACKAGES
from dev.commands import output_of, run_logged
from dev.paths import ROOT
from dev.progress import Reporter

CLIENTS: Final = Path("tests") / "data" / "clients"
REQUIREMENTS: Final = Path("requirements") / "client-generator.txt"
TIMEOUT_S: Final = 1800
"""Of one command; the first time Rust and Go compile their generators."""
CALLS_TIMEOUT_S: Final = 120
MAVEN_COPY: Final = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
Commands = Sequence[Sequence[str]]


@dataclass(frozen=True)
class ClientGenerator:
    """A generator; in its commands `{tools}` is the folder that `install` has filled.

    Attributes:
        name: as its project calls it.
        folder: of `tests/data/clients`.
        locks: files below the repository that pin all that is installed; copied into `{tools}`.
        call: runs the program that calls every operation, and is in `{work}`.
        generated: where the client is, a pattern in the folder of work.
        callers: the program's files, which are left out where the client is only compiled.
        requires: installs or asks for what must be on the machine.
        links: what of `{tools}` stands in the folder of work too.
        types: checks the types of what needs no compiler; too long for `make test`.
    """

    name: str
    folder: str
    locks: Sequence[Path]
    install: Commands
    generate: Commands
    check: Commands
    call: Sequence[str]
    generated: str
    callers: Sequence[str]
    requires: Callable[[Artefacts], None] = lambda _: None
    links: Sequence[str] = ()
    types: Commands = ()


@dataclass
class GeneratedClient:
    """A client that was made and compiled, and what that took, the installing of what makes it included."""

    generator: ClientGenerator
    work: Path
    tools: Path
    environment: Mapping[str, str]
    times_s: dict[str, float] = field(default_factory=dict)

    def run(self, step: str, commands: Commands) -> None:
        """Run commands in the folder of work; raises CommandError with the end of what they print."""
        started = time.perf_counter()
        for command in commands:
            words, log = self._words(command), self.work / "log.txt"
            run_logged(words, log, timeout_s=TIMEOUT_S, env=self.environment, cwd=self.work)
        self.times_s[step] = time.perf_counter() - started

    def answers(self, url: str, key: str, project: str) -> dict[str, str]:
        """Call every operation of a brain; returns what the program said of each."""
        environment = {**self.environment, "BRAIN_URL": url, "BRAIN_KEY": key, "BRAIN_PROJECT": project}
        said = output_of(self._words(self.generator.call), timeout_s=CALLS_TIMEOUT_S, env=environment)
        lines = [line.partition(": ") for line in said.splitlines()]
        return {name: answer for name, _, answer in lines}

    def _words(self, command: Sequence[str]) -> list[str]:
        return [word.format(tools=self.tools, work=self.work, python=sys.executable) for word in command]

    @property
    def lines(self) -> int:
        """Lines of the generated code."""
        files = [path for path in self.work.glob(self.generator.generated) if path.is_file()]
        return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files)


def generate(
    generator: ClientGenerator, document: Mapping[str, Any], work: Path, *, calls: bool
) -> GeneratedClient:
    """Make a client of the document in an empty folder and compile it, with the program or alone."""
    artefacts = Artefacts(Cache.from_environment(), Reporter())
    generator.requires(artefacts)
    started = time.perf_counter()
    tools = _installed(generator, artefacts)
    installed_s = time.perf_counter() - started
    shutil.copytree(ROOT / CLIENTS / generator.folder, work, dirs_exist_ok=True)
    if not calls:
        for name in generator.callers:
            (work / name).unlink()
    for name in generator.links:
        (work / name).symlink_to(tools / name)
    (work / "openapi.json").write_text(json.dumps(document), encoding="utf-8")
    go = go_environment(artefacts.cache)
    path = os.pathsep.join((str(tools / "bin"), go["PATH"]))
    environment = {**go, "PATH": path, "PYTHONPATH": f"{tools}:{work}"}
    environment["CARGO_TARGET_DIR"] = str(artefacts.cache.root / "rust-clients")
    made = GeneratedClient(generator, work, tools, environment)
    made.times_s["install"] = installed_s
    made.run("generate", generator.generate)
    made.run("check", [*generator.check, *(generator.types if is_all() else ())])
    return made


def _installed(generator: ClientGenerator, artefacts: Artefacts) -> Path:
    recipe = content_key(ROOT, [str(lock) for lock in generator.locks], [repr(generator.install)])

    def fill(folder: Path) -> None:
        for lock in generator.locks:
            shutil.copy(ROOT / lock, folder)
        log = artefacts.cache.logs / f"{generator.name}.log"
        for command in generator.install:
            words = [word.format(tools=folder, python=sys.executable) for word in command]
            run_logged(words, log, timeout_s=TIMEOUT_S, env=go_environment(artefacts.cache), cwd=folder)

    return artefacts.obtain(generator.name, recipe, fill)


def _npm(artefacts: Artefacts) -> None:
    with artefacts.locked("apt"):
        ensure_packages(NPM_PACKAGES, artefacts.cache, artefacts.reporter)


def _java(artefacts: Artefacts) -> None:
    with artefacts.locked("apt"):
        wanted = {"maven": "mvn", "default-jdk-headless": "javac"}
        ensure_packages(wanted, artefacts.cache, artefacts.reporter)


def _locks(folder: Path, *names: str) -> tuple[Path, ...]:
    return tuple(folder / name for name in names)


NPM_CI: Final = (("npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"),)
NODE: Final = ("node", "{work}/built/calls.js")
TSC: Final = (("node_modules/.bin/tsc", "--project", "."),)
JARS: Final = "CP=$(ls {tools}/jars/*.jar | grep -v /openapi-generator-cli- | tr '\\n' ':')"
JAVA_CLIENT: Final = (
    "java -jar {tools}/jars/openapi-generator-cli-*.jar generate -g java -i openapi.json -o client"
    " --invoker-package gather.brain --api-package gather.brain --model-package gather.brain.model"
    " --additional-properties hideGenerationTimestamp=true,openApiNullable=false"
)
JAVAC: Final = (
    f"{JARS}; find src client/src/main -name '*.java' > files.txt; javac -nowarn -d built -cp $CP @files.txt"
)
GENERATORS: Final = (
    ClientGenerator(
        name="openapi-python-client",
        folder="python",
        locks=(REQUIREMENTS,),
        install=(
            ("{python}", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps",
             "--require-hashes", "--target", "{tools}", "-r", REQUIREMENTS.name),
        ),
        generate=(
            ("{python}", "-m", "openapi_python_client", "generate", "--path", "openapi.json",
             "--meta", "none", "--output-path", "brain_client", "--fail-on-warning"),
        ),
        check=(("{python}", "-m", "compileall", "-q", "brain_client"),),
        types=(("{python}", "-m", "mypy", "--cache-dir", "{work}/.mypy_cache", "."),),
        call=("{python}", "{work}/calls.py"),
        generated="brain_client/**/*.py",
        callers=("calls.py",),
    ),
    ClientGenerator(
        name="openapi-typescript",
        folder="openapi-fetch",
        locks=_locks(Path("docs") / "typescript", "package.json", "package-lock.json", ".npmrc"),
        install=NPM_CI,
        generate=(("node_modules/.bin/openapi-typescript", "openapi.json", "--output", "brain.d.ts"),),
        check=TSC,
        call=NODE,
        generated="brain.d.ts",
        callers=("calls.ts",),
        requires=_npm,
        links=("node_modules", "package.json"),
    ),
    ClientGenerator(
        name="hey-api",
        folder="hey-api",
        locks=_locks(CLIENTS / "hey-api", "package.json", "package-lock.json", ".npmrc"),
        install=NPM_CI,
        generate=(("node_modules/.bin/openapi-ts", "-f", "openapi-ts.config.mjs"),),
        check=TSC,
        call=NODE,
        generated="brain/**/*.ts",
        callers=("calls.ts",),
        requires=_npm,
        links=("node_modules",),
    ),
    ClientGenerator(
        name="oapi-codegen",
        folder="go",
        locks=_locks(CLIENTS / "go", "go.mod", "go.sum"),
        install=(("go", "mod", "download"),),
        generate=(
            ("mkdir", "-p", "brain"),
            ("go", "tool", "oapi-codegen", "-config", "oapi-codegen.yaml", "openapi.json"),
        ),
        check=(("go", "vet", "./..."), ("go", "build", "./...")),
        call=("go", "-C", "{work}", "run", "."),
        generated="brain/*.go",
        callers=("main.go",),
        requires=lambda artefacts: ensure_go(artefacts.cache, artefacts.reporter),
    ),
    ClientGenerator(
        name="openapi-generator",
        folder="java",
        locks=_locks(CLIENTS / "java", "pom.xml", "SHA256SUMS"),
        install=(
            ("mvn", "--quiet", "--batch-mode", MAVEN_COPY, "-DoutputDirectory=jars"),
            ("sh", "-c", "cd jars && sha256sum --check --strict --quiet ../SHA256SUMS"),
        ),
        generate=(
            ("sh", "-c", JAVA_CLIENT),
        ),
        check=(("sh", "-c", JAVAC),),
        call=("sh", "-c", JARS + "; java -cp {work}/built:$CP Calls"),
        generated="client/src/main/**/*.java",
        callers=("src/Calls.java",),
        requires=_java,
    ),
    ClientGenerator(
        name="progenitor",
        folder="rust",
        locks=_locks(CLIENTS / "rust" / "generator", "Cargo.toml", "generate.rs"),
        install=(
            ("cargo", "build", "--quiet", "--target-dir", "target"),
        ),
        generate=(
            ("mkdir", "-p", "brain/src"),
            ("{tools}/target/debug/generate", "openapi.json", "brain/src/lib.rs"),
            ("rustfmt", "--edition", "2024", "brain/src/lib.rs"),
        ),
        check=(("cargo", "build", "--quiet"),),
        call=("sh", "-c", "$CARGO_TARGET_DIR/debug/calls"),
        generated="brain/src/*.rs",
        callers=("src/main.rs",),
    ),
)  # fmt: skip
QUICK: Final = ("openapi-python-client", "openapi-typescript")
"""Made in seconds; the others take up to minutes, and tools that not every machine has."""


def is_all() -> bool:
    """Return whether `GATHER_GENERATORS` asks for all of them, as `make generators` does."""
    return os.environ.get("GATHER_GENERATORS") == "all"


def chosen() -> tuple[ClientGenerator, ...]:
    """Return all generators, or the quick ones."""
    return tuple(each for each in GENERATORS if is_all() or each.name in QUICK)
