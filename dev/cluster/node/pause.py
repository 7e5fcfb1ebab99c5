"""Make the pause image, the only one that the node itself needs: one static program in a docker-archive."""

import hashlib
import io
import json
import platform
import tarfile
from pathlib import Path

from dev.artefacts.cache import Cache
from dev.artefacts.stamps import build_folder, fingerprint, keep_latest, recipe_name
from dev.cluster.node import layout
from dev.commands import output_of

SOURCE = Path(__file__).resolve().parent / "pause.c"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def _add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    archive.addfile(entry, io.BytesIO(content))


def image_archive(program: bytes, image: str, architecture: str) -> bytes:
    """Return a docker-archive of an image whose one layer holds `/pause`."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as archive:
        _add(archive, "pause", program, 0o755)
    layer_digest = hashlib.sha256(layer.getvalue()).hexdigest()
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"Entrypoint": ["/pause"], "User": "65535:65535"},
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer_digest}"]},
        }
    ).encode()
    config_name = f"{hashlib.sha256(config).hexdigest()}.json"
    layer_name = f"{layer_digest}/layer.tar"
    manifest = json.dumps([{"Config": config_name, "RepoTags": [image], "Layers": [layer_name]}]).encode()
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for name, content in (
            (config_name, config),
            (layer_name, layer.getvalue()),
            ("manifest.json", manifest),
        ):
            _add(archive, name, content)
    return whole.getvalue()


def ensure_pause_archive(cache: Cache) -> Path:
    """Return the pause image's archive, compiled once."""
    image = layout.PAUSE_IMAGE
    stamp = fingerprint(
        [SOURCE.read_text(encoding="utf-8"), Path(__file__).read_text(encoding="utf-8"), image]
    )
    folder = cache.program_folder("pause", recipe_name(image.rpartition(":")[2], stamp))

    def build(into: Path) -> None:
        program = into / "pause"
        output_of(["gcc", "-Os", "-static", "-s", "-o", str(program), str(SOURCE)])
        architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
        (into / layout.PAUSE_ARCHIVE).write_bytes(image_archive(program.read_bytes(), image, architecture))

    build_folder(folder, stamp, build)
    keep_latest(cache.root, "pause")
    return folder / layout.PAUSE_ARCHIVE
