"""Run documents: read once, and made again where somebody deletes one."""

from types import SimpleNamespace
from typing import Any

from gather_operator.kube.run_documents import SETTLED_S, RunDocuments
from tests.support.fake_clock import FakeClock


def documents_of(world: Any, clock: FakeClock) -> RunDocuments:
    return RunDocuments(world, world, clock)


async def test_one_that_was_deleted_is_made_again(make_world: Any, build: Any, clock: FakeClock) -> None:
    """Pods that wait for it can then start."""
    world = make_world()
    documents, document = documents_of(world, clock), build.document("story")
    await documents.write(build.run(), document)
    ((name, data),) = world.config_maps.items()
    world.config_maps.clear()
    clock.now_s += SETTLED_S + 1
    assert await documents.read(build.run()) == document
    assert world.config_maps == {name: data}


async def test_one_that_no_watch_has_shown_yet_is_not_written_twice(
    make_world: Any, build: Any, clock: FakeClock
) -> None:
    world = make_world()
    documents = RunDocuments(world, SimpleNamespace(has_document=lambda _: False), clock)
    await documents.write(build.run(), build.document("story"))
    writes = world.writes
    await documents.read(build.run())
    assert world.writes == writes


async def test_a_run_that_is_to_stop_needs_none(make_world: Any, build: Any, clock: FakeClock) -> None:
    world = make_world()
    documents = documents_of(world, clock)
    await documents.write(build.run(), build.document("story"))
    world.config_maps.clear()
    clock.now_s += SETTLED_S + 1
    await documents.read(build.run(spec={"cancel": True}))
    assert world.config_maps == {}


async def test_one_that_exists_and_no_watch_has_shown_is_read_and_kept(
    make_world: Any, build: Any, clock: FakeClock
) -> None:
    """An operator before this one wrote it a moment ago; Jobs may have been made by it."""
    world = make_world()
    await documents_of(world, clock).write(build.run(), build.document("story"))
    documents = RunDocuments(world, SimpleNamespace(has_document=lambda _: False), clock)
    assert await documents.read(build.run()) is None
    await documents.write(build.run(), build.document("story", "music"))
    assert await documents.read(build.run()) == build.document("story")


async def test_what_was_read_outlives_a_term_for_runs_that_are_still_there(
    make_world: Any, build: Any, clock: FakeClock
) -> None:
    """A thousand runs are not read again when the Lease is lost and taken again; others are forgotten."""
    world = make_world()
    documents = documents_of(world, clock)
    document = build.document("story")
    await documents.write(build.run(), document)
    documents.keep_only([build.uid])
    world.get_config_map = None  # no call is made
    assert await documents.read(build.run()) == document
    documents.keep_only([])
    assert (documents._known, documents._seen_s) == ({}, {})
