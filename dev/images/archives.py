"""Give an image in a docker-archive other names: buildah writes one, a node wants the key and `dev`."""

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

MANIFEST = "manifest.json"


def rename_image(source: Path, target: Path, names: Sequence[str]) -> None:
    """Copy the archive of one image, with exactly those names for it."""
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
