"""buildah, for machines without a Docker engine, or with one that has no buildx.

It builds the same Dockerfiles on base images of our own (`dev/images/base_image.py`).

The bases come from debootstrap, and this machine's way to packages is mounted while a build runs. All
that it stores is in the cache; what it mounts is gone when it ends.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dev.artefacts.cache import Cache, require_space
from dev.artefacts.debian_packages import IMAGE_PACKAGES, ensure_packages, require_root
from dev.cluster.preflight import IMAGES_SPACE_BYTES
from dev.commands import output_of, run_logged
from dev.errors import CommandError
from dev.images.archives import rename_image
from dev.images.base_image import (
    BASE_PACKAGES,
    EPOCH_S,
    SUITE,
    base_recipe_key,
    compile_python,
    keep_what_runs,
    tidy,
)
from dev.images.builders import BUILD_TIMEOUT_S, SAVE_TIMEOUT_S, build_arguments
from dev.images.pip_config import PipConfig, machine_pip_config
from dev.images.specs import Image
from dev.progress import Reporter

END_WITH_US = ("setpriv", "--pdeathsig", "TERM")
SEAL_BUSY = "sealing memfd copy"
SEAL_ATTEMPTS = 3
"""buildah seals a copy of itself in memory before it starts a step. The kernel refuses that with EBUSY while
something holds one of its pages for a moment (fcntl(2), F_SEAL_WRITE); the same command then goes through."""


def volumes(configuration: PipConfig, file: Path) -> list[str]:
    """Return the options that mount pip's configuration, and what it names, read-only into a build."""
    mounted = [(file, Path("/etc/pip.conf")), *((path, path) for path in configuration.mounts)]
    return [word for source, target in mounted for word in ("-v", f"{source}:{target}:ro")]


@dataclass(frozen=True, slots=True)
class BuildahBuilder:
    """Builds with buildah, as root, in a storage of our own inside the cache."""

    cache: Cache
    reporter: Reporter
    base_key: str = field(default_factory=base_recipe_key)

    @property
    def base(self) -> str:
        """The base image's full name."""
        return f"localhost/python-base:{self.base_key}"

    @property
    def runtime(self) -> str:
        """The full name of the base that rooms run on."""
        return f"localhost/python-runtime:{self.base_key}"

    @property
    def _scratch(self) -> Path:
        """Temporary files, and pip's downloads that all builds share."""
        return self.cache.root / "tmp"

    def command(self, *arguments: str) -> list[str]:
        """Return a buildah command on our storage; what it mounts is below /run, gone with a reboot."""
        storage = self.cache.root / "containers"
        run = f"/run/gather-{hashlib.sha256(str(storage).encode()).hexdigest()[:8]}"
        # A build whose python was killed ends too, instead of going on beside the next one.
        return [*END_WITH_US, "buildah", "--root", str(storage), "--runroot", run, *arguments]

    def prepare(self) -> None:
        """Install buildah and debootstrap, remove what a killed build left, make the base image.

        Raises:
            MachineError: not root, or the disk is too full.
        """
        require_root("Building images without Docker's buildx")
        require_space(self.cache.root, IMAGES_SPACE_BYTES, "Building the images")
        ensure_packages(IMAGE_PACKAGES, self.cache, self.reporter)
        self._scratch.mkdir(parents=True, exist_ok=True)
        for leftover in self._scratch.glob("pip-*.conf"):
            leftover.unlink()
        output_of(self.command("rm", "--all"), timeout_s=SAVE_TIMEOUT_S)
        if not {self.base, self.runtime} <= self.references():
            with self.reporter.step("Make the base images with debootstrap"):
                self._make_base()

    def references(self) -> frozenset[str]:
        """Return the full names of the images in our storage."""
        if shutil.which("buildah") is None:
            return frozenset()
        listed = output_of(self.command("images", "--format", "{{.Name}}:{{.Tag}}"))
        return frozenset(listed.split())

    def build(self, image: Image, tags: Sequence[str], source: Path, contexts: Mapping[str, Path]) -> None:
        """Build in a chroot; layers that did not change are taken from the last build."""
        configuration = machine_pip_config()
        with tempfile.NamedTemporaryFile("w", dir=self._scratch, prefix="pip-", suffix=".conf") as file:
            file.write(configuration.text)
            file.flush()
            # A mounted file cannot be in the image; an option or a build argument would be in its history.
            isolated = ["bud", "--layers", "--isolation", "chroot", *volumes(configuration, Path(file.name))]
            bases = {"BASE": self.base, "RUNTIME": self.runtime}
            arguments = ["--timestamp", str(EPOCH_S), *build_arguments(image, tags, contexts, bases)]
            self._log(image.name, self.command(*isolated, *arguments), source)

    def save(self, image: Image, tags: Sequence[str], archive: Path) -> None:
        """Write the image into an archive; buildah knows one name for it, the others are added."""
        plain = archive.with_suffix(".plain")
        try:
            target = f"docker-archive:{plain}"
            command = self.command("push", "--quiet", image.reference(tags[0]), target)
            self._log(image.name, command)
            rename_image(plain, archive, [image.reference(tag) for tag in tags])
        finally:
            plain.unlink(missing_ok=True)

    def push(self, image: Image, tag: str, target: str, *, plain_http: bool) -> str:
        """Push with the logins of `buildah login` or, where there are none, `docker login`."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("r", dir=self._scratch, prefix="digest-") as file:
            options = ["--quiet", "--digestfile", file.name, *(["--tls-verify=false"] if plain_http else [])]
            self._log(image.name, self.command("push", *options, image.reference(tag), f"docker://{target}"))
            return Path(file.name).read_text(encoding="ascii").strip()

    def digest(self, image: Image, tag: str) -> str:
        """Return the digest that the image would have in a registry."""
        with tempfile.TemporaryDirectory(dir=self._scratch, prefix="digest-") as folder:
            file = Path(folder) / "digest"
            options = ["--quiet", "--digestfile", str(file)]
            self._log(image.name, self.command("push", *options, image.reference(tag), f"oci:{folder}/image"))
            return file.read_text(encoding="ascii").strip()

    def remove_all(self) -> None:
        """Remove all images of our storage, and all layers that a build could take from it."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        if self.references():
            self._log("all", self.command("rmi", "--all", "--force"))

    def _log(
        self,
        name: str,
        command: Sequence[str],
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        log = self.cache.logs / f"image-{name}.log"
        environment = {"TMPDIR": str(self._scratch), **(env or {})}
        for attempt in range(1, SEAL_ATTEMPTS + 1):
            try:
                run_logged(command, log, timeout_s=BUILD_TIMEOUT_S, env=environment, cwd=cwd)
            except CommandError as error:
                if attempt == SEAL_ATTEMPTS or SEAL_BUSY not in str(error):
                    raise
            else:
                return

    def _make_base(self) -> None:
        """Install Debian into a container of our storage; keep it as an image, and what runs as another."""
        container = output_of(self.command("from", "scratch")).strip()
        root = Path(output_of(self.command("mount", container)).strip())
        include = f"--include={','.join(BASE_PACKAGES)}"
        debootstrap = ["debootstrap", "--variant=minbase", include, SUITE, str(root)]
        self._log("base", debootstrap, env={"SOURCE_DATE_EPOCH": str(EPOCH_S)})
        self._log("base", self.command("config", "--cmd", "python3", container))
        tidy(root)
        compile_python(root)
        self._commit(container, self.base)
        keep_what_runs(root)
        compile_python(root)
        self._commit(container, self.runtime)
        self._log("base", self.command("rm", container))

    def _commit(self, container: str, name: str) -> None:
        self._log("base", self.command("commit", "--quiet", "--timestamp", str(EPOCH_S), container, name))
