"""Images are built while the cluster's programs are, and no longer than the cluster needs."""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from dev.cli.deploy import up_with_images
from dev.errors import ClusterError

WAIT_S = 30


class Images:
    """Builds images until it is told that no further one is wanted."""

    def __init__(self, images: int = 10**9) -> None:
        self.begun = threading.Event()
        self.built = 0
        self._images = images

    def build(self, until: Callable[[], bool]) -> None:
        while self.built < self._images and not until():
            self.built += 1
            self.begun.set()


class Provider:
    """A cluster that is up once an image is under way, or fails then."""

    def __init__(self, images: Images, error: Exception | None = None) -> None:
        self._images, self._error = images, error

    def up(self) -> None:
        assert self._images.begun.wait(WAIT_S)
        if self._error is not None:
            raise self._error


def bring_up(images: Any, provider: Any) -> None:
    up_with_images(provider, images)


def test_no_image_is_begun_once_the_cluster_is_up() -> None:
    """It ends, though there would be more to build: loading builds the others."""
    images = Images()
    bring_up(images, Provider(images))
    assert images.built >= 1


def test_a_cluster_that_fails_is_said_without_building_the_rest() -> None:
    images = Images()
    with pytest.raises(ClusterError, match="no room"):
        bring_up(images, Provider(images, ClusterError("no room")))


def test_an_image_that_cannot_be_built_is_said_once_the_cluster_is_up() -> None:
    class Broken(Images):
        def build(self, until: Callable[[], bool]) -> None:  # noqa: ARG002
            self.begun.set()
            raise ClusterError("no such package")

    images = Broken()
    with pytest.raises(ClusterError, match="no such package"):
        bring_up(images, Provider(images))
