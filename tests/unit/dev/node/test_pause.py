"""The pause image is one whole docker-archive."""

import hashlib
import io
import json
import tarfile

from dev.cluster.node.pause import image_archive


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


def test_every_digest_in_the_archive_is_right() -> None:
    whole = image_archive(b"program", "localhost/pause:1", "amd64")
    with tarfile.open(fileobj=io.BytesIO(whole)) as archive:
        (manifest,) = json.loads(_member(archive, "manifest.json"))
        config = _member(archive, manifest["Config"])
        layer = _member(archive, manifest["Layers"][0])
    assert manifest["RepoTags"] == ["localhost/pause:1"]
    assert manifest["Config"] == f"{hashlib.sha256(config).hexdigest()}.json"
    assert json.loads(config)["rootfs"]["diff_ids"] == [f"sha256:{hashlib.sha256(layer).hexdigest()}"]
    with tarfile.open(fileobj=io.BytesIO(layer)) as files:
        assert files.getmember("pause").mode == 0o755
        assert _member(files, "pause") == b"program"


def test_the_same_program_makes_the_same_archive() -> None:
    assert image_archive(b"p", "a:1", "amd64") == image_archive(b"p", "a:1", "amd64")
