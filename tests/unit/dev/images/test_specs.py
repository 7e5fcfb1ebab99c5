"""Which files an image is made of, and the key that decides whether it must be built again."""

from pathlib import Path

import pytest

from dev.artefacts.content import files_below
from dev.images.specs import (
    IMAGES,
    Copied,
    Image,
    chart_settings,
    copied,
    copied_into,
    image_key,
    snapshot,
)
from dev.paths import ROOT

DOCKERFILE = """\
ARG BASE=python
# COPY commented out
FROM ${BASE} AS code
COPY pyproject.toml \\
     LICENSE ./
COPY room room
FROM ${BASE}
COPY --from=code /code /code
COPY --from=jars . /lib
"""
IMAGE = Image("gather-room", "room/Dockerfile", "gather", "room.image.tag")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one room."""
    room = tmp_path / "room"
    room.mkdir()
    (room / "Dockerfile").write_text(DOCKERFILE)
    (room / "main.py").write_text("print('hello')\n")
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        (tmp_path / name).write_text(name)
    return tmp_path


def key(repository: Path, base: str = "base", jars: str = "1") -> str:
    return image_key(IMAGE, base, {"jars": jars, "unused": "1"}, repository)


def test_copied_files_and_contexts_are_read_from_the_dockerfile() -> None:
    assert copied(DOCKERFILE) == Copied(("pyproject.toml", "LICENSE", "room"), ("jars",))


def test_the_key_stays_while_nothing_changes(repository: Path) -> None:
    first = key(repository)
    (repository / "README.md").write_text("other words")
    (repository / "room" / "__pycache__").mkdir()
    (repository / "room" / "__pycache__" / "main.pyc").write_text("compiled")
    assert key(repository) == first


@pytest.mark.parametrize("change", ["room/main.py", "room/Dockerfile", "pyproject.toml"])
def test_the_key_changes_with_what_is_copied(repository: Path, change: str) -> None:
    first = key(repository)
    with (repository / change).open("a") as file:
        file.write("# more\n")
    assert key(repository) != first


def test_the_key_changes_with_a_file_that_comes_goes_or_moves(repository: Path) -> None:
    keys = [key(repository)]
    (repository / "room" / "new.py").write_text("")
    keys.append(key(repository))
    (repository / "room" / "new.py").rename(repository / "room" / "moved.py")
    keys.append(key(repository))
    assert len(set(keys)) == 3


def test_the_key_changes_with_an_executable_bit(repository: Path) -> None:
    first = key(repository)
    (repository / "room" / "main.py").chmod(0o755)
    assert key(repository) != first


def test_the_key_changes_with_the_base_and_with_a_build_context(repository: Path) -> None:
    assert len({key(repository), key(repository, base="other"), key(repository, jars="2")}) == 3


def test_a_snapshot_has_the_same_key_and_nothing_else(
    repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    target = tmp_path_factory.mktemp("snapshot")
    snapshot([IMAGE], target, repository)
    assert key(target) == key(repository)
    assert not (target / "README.md").exists()


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_every_dockerfile_copies_only_what_there_is(image: Image) -> None:
    for source in (image.dockerfile, *copied_into(image, ROOT).sources):
        assert list(files_below(ROOT / source)), source


@pytest.mark.parametrize("room", ["operator", "worker", "brain", "bridge"])
def test_a_room_is_built_from_itself_the_clients_and_the_contracts(room: str) -> None:
    (image,) = (image for image in IMAGES if image.name == f"gather-{room}")
    sources = copied_into(image, ROOT).sources
    folders = {source for source in sources if (ROOT / source).is_dir()}
    assert folders == {"contracts", "clients", room}
    assert f"requirements/{room}.txt" in sources


@pytest.mark.parametrize("image", IMAGES, ids=lambda image: image.name)
def test_every_image_runs_as_an_ordinary_user(image: Image) -> None:
    lines = (ROOT / image.dockerfile).read_text().splitlines()
    assert "USER 10001:10001" in lines


def test_chart_settings_name_each_releases_tags() -> None:
    tags = {"gather-worker": "w", "gather-redis": "r"}
    assert chart_settings(tags) == {
        "gather": {"worker.image.tag": "w"},
        "gather-backing": {"redis.image.tag": "r"},
    }
