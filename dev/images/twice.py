"""Build images twice from nothing, and compare their digests: `make images-twice`.

The bases are made twice too. What differs is named by file; it ends with 1 then.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from dev.artefacts.artefacts import Artefacts
from dev.artefacts.cache import Cache
from dev.images.archives import differences
from dev.images.build import Images, select
from dev.images.buildah import BuildahBuilder
from dev.images.specs import MOVING_TAG
from dev.progress import Reporter

PUBLISHED: Final = ("operator", "worker", "brain", "bridge")


def build(names: Sequence[str], images: Images, builder: BuildahBuilder, folder: Path) -> dict[str, str]:
    """Build the images from nothing, save them into the folder, and return their digests in a registry."""
    builder.remove_all()
    images.build(names)
    digests = {}
    for image in select(names):
        builder.save(image, (MOVING_TAG,), folder / f"{image.name}.tar")
        digests[image.name] = builder.digest(image, MOVING_TAG)
    builder.remove_all()
    return digests


def main() -> None:
    """Build twice and compare, or say which files differ."""
    names = sys.argv[1:] or PUBLISHED
    cache = Cache.from_environment()
    reporter = Reporter()
    builder = BuildahBuilder(Cache(cache.root / "twice"), reporter)
    images = Images(cache, reporter, builder)
    with (
        Artefacts(cache, reporter).locked("images-twice"),
        tempfile.TemporaryDirectory(dir=cache.root, prefix="twice-") as work,
    ):
        folders = [Path(work) / number for number in ("1", "2")]
        for folder in folders:
            folder.mkdir()
        first, second = (build(names, images, builder, folder) for folder in folders)
        for name, digest in first.items():
            reporter.say(f"{name}: {digest}{'' if second[name] == digest else f', then {second[name]}'}")
            for line in differences(*(folder / f"{name}.tar" for folder in folders)):
                reporter.say(f"  {line}")
    if first != second:
        sys.exit("The same sources gave two digests.")


if __name__ == "__main__":
    main()
