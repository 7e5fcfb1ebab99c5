"""A department is never held up by the brain's following, nor made to fail."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest

from gather_clients.brain_errors import BrainRejected
from gather_clients.notes.note import Note
from gather_worker.attempt import Attempt
from gather_worker.errors import BrainUnusable, StoreUnavailable, Terminated, WriteRefused
from gather_worker.services.brain import Brain
from gather_worker.services.store import Store
from gather_worker.steps import following
from gather_worker.steps.following import BrainFollower
from gather_worker.sync.merge import Kind, OutOfOrder
from gather_worker.sync.synchronizer import Progress

Work = Callable[[Progress], Awaitable[None]]


class FakeBrain:
    """Usable, or not."""

    nodes = None

    def __init__(self, *, is_usable: bool = True) -> None:
        self._is_usable = is_usable

    async def is_usable(self) -> bool:
        return self._is_usable


@pytest.fixture
def synchronise_by(monkeypatch: pytest.MonkeyPatch) -> Callable[[Work], None]:
    """Let synchronising be what a test says."""

    def use(work: Work) -> None:
        class Synchronizer:
            def __init__(self, *_: Any) -> None:
                self.progress = Progress()

            async def run(self) -> None:
                await work(self.progress)

        monkeypatch.setattr(following, "Synchronizer", Synchronizer)
        monkeypatch.setattr(following, "NotePages", lambda _: None)

    return use


def follower(attempt: Attempt, *, is_usable: bool = True) -> BrainFollower:
    return BrainFollower(cast(Store, None), cast(Brain, FakeBrain(is_usable=is_usable)), attempt)


async def endless(progress: Progress) -> None:
    progress.done(Kind.NEW, ["a", "b"])
    await asyncio.Event().wait()


async def test_it_takes_a_share_of_the_time_and_says_what_was_done(
    synchronise_by: Callable[[Work], None], caplog: pytest.LogCaptureFixture
) -> None:
    """What is left is for the next department."""
    synchronise_by(endless)
    attempt, began_s = Attempt(11), time.monotonic()
    await follower(attempt).follow()
    assert time.monotonic() - began_s < 11
    (record,) = caplog.records
    assert (record.levelno, "2 new" in record.getMessage()) == (logging.WARNING, True)


async def test_with_little_time_or_without_the_brain_nothing_is_begun(
    synchronise_by: Callable[[Work], None],
) -> None:
    """A department that is about to end ends."""

    async def fail(_: Progress) -> None:
        raise AssertionError

    synchronise_by(fail)
    assert not await follower(Attempt(9)).follow()
    assert not await follower(Attempt(600), is_usable=False).follow()


@pytest.mark.parametrize("is_equal", [True, False])
async def test_what_was_read_already_is_read_again_only_where_something_differs(
    synchronise_by: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch, is_equal: bool
) -> None:
    """Mostly nothing does, and then a start reads the project's notes once."""
    asked, begun = list[str](), list[bool]()

    async def has_just(_: Any, notes: Sequence[Note]) -> bool:
        asked.extend(note.id for note in notes)
        return is_equal

    async def note_it(progress: Progress) -> None:
        begun.append(True)
        progress.done(Kind.NEW, ["a"])

    synchronise_by(note_it)
    monkeypatch.setattr(following, "has_just", has_just)
    assert await follower(Attempt(600)).follow([Note("a", "The keeper.", "a" * 24)]) is not is_equal
    assert (asked, bool(begun)) == (["a"], not is_equal)


@pytest.mark.parametrize("kind", list(Kind))
async def test_it_says_whether_the_brain_was_changed(
    synchronise_by: Callable[[Work], None], kind: Kind
) -> None:
    """What was asked of it meanwhile is then asked again."""

    async def find(progress: Progress) -> None:
        progress.done(kind, ["a"])

    synchronise_by(find)
    assert await follower(Attempt(600)).follow() is (kind in {Kind.NEW, Kind.CHANGED, Kind.DELETED})


@pytest.mark.parametrize(
    "error",
    [
        BrainUnusable("away"),
        BrainRejected(400, "validation_failed", "no"),
        OutOfOrder("the brain gave its ids out of order"),
        StoreUnavailable("MongoDB is unavailable"),
        WriteRefused("the user of MONGODB_URI may not do that"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_no_error_of_either_store_is_fatal(
    synchronise_by: Callable[[Work], None], caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    """The department goes on, and the log says why the brain does not follow."""

    async def fail(_: Progress) -> None:
        raise error

    synchronise_by(fail)
    await follower(Attempt(600)).follow()
    assert str(error) in caplog.text


async def test_an_error_that_nobody_expects_is_not_fatal_and_its_text_not_shown(
    synchronise_by: Callable[[Work], None], caplog: pytest.LogCaptureFixture
) -> None:
    """It may hold what a note says."""

    async def fail(_: Progress) -> None:
        raise ValueError("a person's words")

    synchronise_by(fail)
    await follower(Attempt(600)).follow()
    assert "ValueError" in caplog.text
    assert "a person's words" not in caplog.text


async def test_sigterm_ends_it_at_once(synchronise_by: Callable[[Work], None]) -> None:
    """As it ends everything that can be cancelled."""
    synchronise_by(endless)
    attempt = Attempt(600)
    asyncio.get_running_loop().call_soon(attempt.terminate)
    with pytest.raises(Terminated):
        await follower(attempt).follow()


async def test_beside_other_work_it_is_settled_later(synchronise_by: Callable[[Work], None]) -> None:
    """Once; who asks again hears of nothing."""

    async def write(progress: Progress) -> None:
        progress.done(Kind.NEW, ["a"])

    synchronise_by(write)
    beside = follower(Attempt(60))
    assert not await beside.settle()
    beside.begin()
    assert await beside.settle()
    assert not await beside.settle()


async def test_at_the_end_it_is_not_waited_for(synchronise_by: Callable[[Work], None]) -> None:
    """The next department goes on."""
    begun, ended = asyncio.Event(), asyncio.Event()

    async def wait(progress: Progress) -> None:
        begun.set()
        try:
            await endless(progress)
        finally:
            ended.set()

    synchronise_by(wait)
    beside = follower(Attempt(6000))
    beside.begin()
    async with asyncio.timeout(30):
        await begun.wait()
        await beside.close()
    assert ended.is_set()
    assert not await beside.settle()
