"""Images in archives: their names, their files, and in what two of them differ."""

import io
import json
import tarfile
from pathlib import Path, PurePosixPath

from dev.images.archives import differences, read_files, rename_image


def image_of(path: Path, *layers: dict[str, str], time_s: int = 0) -> Path:
    """Write an archive with an image of those layers, each files by name."""
    blobs = {}
    for number, files in enumerate(layers):
        blob = io.BytesIO()
        with tarfile.open(fileobj=blob, mode="w") as layer:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mtime = len(content), time_s
                layer.addfile(member, io.BytesIO(content.encode()))
        blobs[f"{number}.tar"] = blob.getvalue()
    manifest = json.dumps([{"Config": "c.json", "RepoTags": None, "Layers": [*blobs]}]).encode()
    with tarfile.open(path, "w") as archive:
        for name, data in {**blobs, "manifest.json": manifest}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def test_an_archive_gets_exactly_the_names_it_is_given(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(
        json.dumps([{"Config": "c.json", "RepoTags": None, "Layers": ["l.tar"]}])
    )
    (tmp_path / "l.tar").write_bytes(b"layer" * 1000)
    (tmp_path / "repositories").write_text("{}")
    old, new = tmp_path / "old.tar", tmp_path / "new.tar"
    with tarfile.open(old, "w") as archive:
        for name in ("l.tar", "manifest.json", "repositories"):
            archive.add(tmp_path / name, name)
    rename_image(old, new, ["a:1", "a:dev"])
    with tarfile.open(new) as archive:
        names = archive.getnames()
        manifest = archive.extractfile("manifest.json")
        layer = archive.extractfile("l.tar")
        assert manifest is not None
        assert layer is not None
        assert json.load(manifest) == [
            {"Config": "c.json", "RepoTags": ["a:1", "a:dev"], "Layers": ["l.tar"]}
        ]
        assert layer.read() == b"layer" * 1000
    assert names == ["l.tar", "manifest.json"]


def test_the_last_layer_s_file_counts_and_a_removed_one_is_not_there(tmp_path: Path) -> None:
    layers = ({"etc/a": "1", "etc/b": "1", "usr/c": "1"}, {"etc/a": "2", "etc/.wh.b": ""})
    image = image_of(tmp_path / "image.tar", *layers)
    assert read_files(image, lambda path: path.parent.name == "etc") == {PurePosixPath("etc/a"): b"2"}


def test_two_images_differ_in_content_in_time_and_in_what_only_one_has(tmp_path: Path) -> None:
    first = image_of(tmp_path / "1.tar", {"a": "1", "b": "1"}, {"c": "1"})
    assert differences(first, image_of(tmp_path / "2.tar", {"a": "1", "b": "1"}, {"c": "1"})) == []
    found = differences(first, image_of(tmp_path / "3.tar", {"a": "2", "b": "1"}, {"d": "1"}))
    assert [line.split(": ")[:2] for line in found] == [["layer 0", "a"], ["layer 1", "c"], ["layer 1", "d"]]
    later = image_of(tmp_path / "4.tar", {str(number): "" for number in range(30)}, time_s=1)
    found = differences(image_of(tmp_path / "5.tar", {str(number): "" for number in range(30)}), later)
    assert len(found) == 21
    assert found[-1] == "and 10 more"
