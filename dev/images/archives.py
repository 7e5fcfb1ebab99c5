"""Images in docker-archives: given other names, read, and compared."""

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath

MANIFEST = "manifest.json"
REMOVED = ".wh."
"""A layer's mark of a file that earlier layers have and the image does not."""
SHOWN = 20
"""Differences that are named; the rest are mostly of the same kind."""


def rename_image(source: Path, target: Path, names: Sequence[str]) -> None:
    """Copy the archive of one image, with exactly those names for it: a node wants the key and `dev`."""
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            content = old.extractfile(member)
            if member.name == MANIFEST and content:
                (image,) = json.load(content)
                changed = json.dumps([image | {"RepoTags": list(names)}]).encode()
                member.size = len(changed)
                content = io.BytesIO(changed)
            if member.name != "repositories":  # the names again, in the form of ten years ago
                new.addfile(member, content)


def _layers(archive: Path) -> Iterator[tarfile.TarFile]:
    """Yield the layers of an archive's one image, the base's first."""
    with tarfile.open(archive) as image:
        manifest = image.extractfile(MANIFEST) or io.BytesIO()
        (described,) = json.load(manifest)
        for name in described["Layers"]:
            if blob := image.extractfile(name):
                with tarfile.open(fileobj=blob) as layer:
                    yield layer


def read_files(archive: Path, wanted: Callable[[PurePosixPath], bool]) -> dict[PurePosixPath, bytes]:
    """Return the content of the image's files whose path, without a slash before it, is wanted."""
    found: dict[PurePosixPath, bytes] = {}
    for layer in _layers(archive):
        for member in layer:
            path = PurePosixPath(member.name)
            if path.name.startswith(REMOVED):
                found.pop(path.with_name(path.name.removeprefix(REMOVED)), None)
            elif wanted(path) and member.isreg() and (content := layer.extractfile(member)):
                found[path] = content.read()
    return found


def differences(first: Path, second: Path) -> list[str]:
    """Return in which files of which layers two images differ, and in what; the first `SHOWN`."""
    one, other = _listing(first), _listing(second)
    different = [key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)]
    shown = [
        f"layer {layer}: {name}: {one.get((layer, name))} {other.get((layer, name))}"
        for layer, name in different
    ]
    more = [f"and {len(shown) - SHOWN} more"] if len(shown) > SHOWN else []
    return [*shown[:SHOWN], *more]


def _listing(archive: Path) -> dict[tuple[int, str], tuple[object, ...]]:
    return {
        (number, member.name): (
            oct(member.mode), member.uid, member.gid, member.mtime, member.linkname, _digest(layer, member)
        )
        for number, layer in enumerate(_layers(archive))
        for member in layer
    }  # fmt: skip


def _digest(layer: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    content = layer.extractfile(member) if member.isreg() else None
    return hashlib.sha256(content.read()).hexdigest()[:12] if content else ""
