"""Build programs with Go: the cluster's node, kubectl and Helm, and what plays or tests a part of it.

Each set goes into its own folder of the cache, named by its version and recipe. Go's caches make an
interrupted build go on where it was.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dev.artefacts import versions
from dev.artefacts.cache import GIB, Cache, locked, require_space
from dev.artefacts.go_toolchain import ensure_go, go_environment
from dev.artefacts.stamps import (
    build_folder,
    fingerprint,
    is_complete,
    keep_latest,
    mark_used,
    recipe_name,
)
from dev.commands import run_logged
from dev.paths import ROOT

if TYPE_CHECKING:
    from dev.progress import Reporter

SOURCES = ROOT / "dev/cluster/node"
BUILD_TIMEOUT_S = 3600
"""Kubernetes takes seven minutes on two idle cores; a busy machine may need several times that."""
BUILD_SPACE_BYTES = 9 * GIB
"""Modules 2.5, Go's build cache 4.4, the programs 0.7, and what the linker holds."""
MODULE = "programs"
"""One module for all that the node runs, so that packages that several programs share are compiled once."""
KUBERNETES_PROGRAMS = (
    "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
)  # fmt: skip
HELM_MODULE = "helm.sh/helm/v3"
HELM_PACKAGE = f"{HELM_MODULE}/cmd/helm"
SMALL = "-s -w"
WITHOUT_DWARF = "-gcflags=all=-dwarf=false"
"""What `SMALL` lets the linker drop, the compiler need not make: it takes a tenth less time."""
Run = Callable[[Sequence[str]], None]


def version_flags(kubernetes: str, helm: str) -> str:
    """Return the linker flags by which the programs know their versions, as their projects build them.

    Without a cluster to ask, Helm refuses a chart for a newer Kubernetes than it was built with; without the
    flags that is 1.20.
    """
    major, minor, _ = kubernetes.split(".")
    facts_of = {
        ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"): {
            "gitVersion": f"v{kubernetes}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean",
        },
        (f"{HELM_MODULE}/pkg/chartutil", f"{HELM_MODULE}/pkg/lint/rules"): {
            "k8sVersionMajor": major, "k8sVersionMinor": minor,
        },
        (f"{HELM_MODULE}/internal/version",): {"version": f"v{helm}", "gitTreeState": "clean"},
    }  # fmt: skip
    variables = [
        f"{p}.{key}={value}"
        for packages, facts in facts_of.items()
        for p in packages
        for key, value in facts.items()
    ]
    return " ".join([SMALL, *(f"-X {variable}" for variable in variables)])


@dataclass(frozen=True, slots=True)
class ProgramSet:
    """Programs that are built together from one Go module.

    Attributes:
        name: names the folder, with the version.
        module: the folder of `dev/cluster/node/` with the go.mod that pins everything; none for `go install`.
        flags: the linker's.
        packages: what is built, in one `go build`, each under its package's name.
        installs: packages for `go install`, which takes the pins from the package's own module.
        tags: build tags of the installs.
    """

    name: str
    version: str
    module: str = ""
    flags: str = SMALL
    packages: tuple[str, ...] = ()
    installs: tuple[str, ...] = ()
    tags: str = field(default="", repr=False)

    def folder(self, cache: Cache) -> Path:
        """Where the finished programs are."""
        return cache.program_folder(self.name, recipe_name(self.version, self.stamp()))

    def stamp(self) -> str:
        """Return a digest of all that the programs are made of."""
        sources = sorted((SOURCES / self.module).rglob("*.*")) if self.module else []
        tags = [self.tags] if self.tags else []
        return fingerprint([repr(self), *tags, *(source.read_text(encoding="utf-8") for source in sources)])

    def is_built(self, cache: Cache) -> bool:
        """Return whether the programs are there, whole and from this recipe."""
        return is_complete(self.folder(cache), self.stamp())

    def fetch_commands(self) -> list[list[str]]:
        """Return the commands that download the modules and build nothing."""
        return [["go", "list", "-deps", "-f", "{{.Name}}", *self.packages]] if self.packages else []

    def build_commands(self, into: Path) -> list[list[str]]:
        """Return the commands that write the programs into a folder."""
        tags = ["-tags", self.tags] if self.tags else []
        install = ["go", "install", "-trimpath", WITHOUT_DWARF, *tags, "-ldflags", self.flags]
        commands = [[*install, package] for package in self.installs]
        if self.packages:
            build = ["go", "build", "-mod=readonly", "-trimpath", WITHOUT_DWARF, "-ldflags", self.flags]
            commands.append([*build, "-o", f"{into}/", *self.packages])
        return commands


VERSIONS = version_flags(versions.KUBERNETES, versions.HELM)
KUBERNETES = ProgramSet(
    name="kubernetes",
    version=versions.KUBERNETES,
    module=MODULE,
    flags=VERSIONS,
    packages=(
        *(f"k8s.io/kubernetes/cmd/{p}" for p in KUBERNETES_PROGRAMS), "./etcd", "./coredns", "./netpol",
        HELM_PACKAGE,
    ),
)  # fmt: skip
"""All that the node needs."""
HELM = ProgramSet(name="helm", version=versions.HELM, module=MODULE, flags=VERSIONS, packages=(HELM_PACKAGE,))
"""Helm alone, where there is no node; the node's set holds it already."""
KUBECTL = ProgramSet(
    name="kubectl",
    version=versions.KUBERNETES,
    module=MODULE,
    flags=VERSIONS,
    packages=("k8s.io/kubernetes/cmd/kubectl",),
)
"""kubectl alone, for the kind provider."""
KIND = ProgramSet(name="kind", version=versions.KIND, installs=(f"sigs.k8s.io/kind@v{versions.KIND}",))
KWOK = ProgramSet(
    name="kwok", version=versions.KWOK, installs=(f"sigs.k8s.io/kwok/cmd/kwok@v{versions.KWOK}",)
)

PROMTOOL = ProgramSet(
    name="promtool",
    version=versions.PROMETHEUS,
    installs=(f"github.com/prometheus/prometheus/cmd/promtool@v{versions.PROMETHEUS}",),
    # Without the ways to find targets in two dozen clouds, which are most of it.
    tags="remove_all_sd",
)
PROMETHEUS = ProgramSet(
    name="prometheus",
    version=versions.PROMETHEUS,
    installs=(f"github.com/prometheus/prometheus/cmd/prometheus@v{versions.PROMETHEUS}",),
    tags="remove_all_sd,enable_kubernetes_sd",
)
"""Without its pages, which its module leaves out."""
KUBE_SCORE = ProgramSet(
    name="kube-score",
    version=versions.KUBE_SCORE,
    installs=(f"github.com/zegl/kube-score/cmd/kube-score@v{versions.KUBE_SCORE}",),
)


def _go(programs: ProgramSet, cache: Cache, command: Sequence[str], environment: Mapping[str, str]) -> None:
    folder = SOURCES / programs.module if programs.module else cache.root
    log = cache.logs / f"{programs.name}.log"
    run_logged(command, log, timeout_s=BUILD_TIMEOUT_S, env=environment, cwd=folder)


def build(programs: ProgramSet, cache: Cache, reporter: "Reporter") -> None:
    """Build the programs unless they are there; raises CommandError with the end of the compiler's output."""

    def fill(folder: Path) -> None:
        for command in programs.build_commands(folder):
            _go(programs, cache, command, go_environment(cache, folder))

    folder = programs.folder(cache)
    # Two processes of tests want the same one, and neither holds the cache's lock.
    with locked(
        cache.root / "locks" / folder.name, f"another process that builds {folder.name}", reporter.say
    ):
        if not programs.is_built(cache):
            with reporter.step(f"Build {programs.name} {programs.version}", builds="programs") as step:
                step.waits_for(f"go build; its output is in {cache.logs / f'{programs.name}.log'}")
                build_folder(folder, programs.stamp(), fill)
            keep_latest(cache.root, programs.name, _run_by_a_node(cache))


def _run_by_a_node(cache: Cache) -> set[Path]:
    """Return the folders whose programs the node of this cache was started with."""
    return {link.readlink().parent for link in (cache.node / "programs").glob("*") if link.is_symlink()}


def _fetch(programs: ProgramSet, cache: Cache) -> None:
    for command in programs.fetch_commands():
        _go(programs, cache, command, go_environment(cache))


def ensure_programs(wanted: Sequence[ProgramSet], cache: Cache, reporter: "Reporter") -> None:
    """Build what is missing: one set after the other, since a build uses every core.

    The modules of later sets are downloaded while the first is compiled.
    """
    missing = [programs for programs in wanted if not programs.is_built(cache)]
    for programs in wanted:
        if programs not in missing:
            mark_used(programs.folder(cache))
    if not missing:
        return
    ensure_go(cache, reporter)
    require_space(cache.root, BUILD_SPACE_BYTES, "Building the cluster's programs")
    with ThreadPoolExecutor(max_workers=1) as downloads:
        fetches: dict[str, Future[None]] = {
            programs.name: downloads.submit(partial(_fetch, programs, cache)) for programs in missing
        }
        for programs in missing:
            fetches[programs.name].result()
            build(programs, cache, reporter)
