"""What `make soak` reads and what it makes of it."""

import os
import socket
from pathlib import Path

from tests.soak.gauges import BEYOND, DESCRIPTORS, KEYS, MEMORY, NOTES, SOCKETS, Sample, files_mib, of_process
from tests.soak.growth import growths, table

BRAIN_MEMORY, MONGODB_MEMORY = f"brain: {MEMORY}", f"mongodb: {MEMORY}"
MONGODB_SOCKETS = f"mongodb: {SOCKETS}"


def sample(minute: float, **others: float) -> Sample:
    """Return a moment at which 100 notes a minute have 5 keys each."""
    values = {NOTES: 100 * minute, KEYS: 500 * minute, BEYOND: 0.0, BRAIN_MEMORY: 300.0, MONGODB_MEMORY: 90.0}
    return Sample(minute * 60, values | others)


def test_a_process_is_read_as_it_is(tmp_path: Path) -> None:
    """One more file is a descriptor more, a pair of sockets two of both."""
    before = of_process(os.getpid())
    first, second = socket.socketpair()
    with first, second, (tmp_path / "file").open("w"):
        now = of_process(os.getpid())
    assert now[SOCKETS] - before[SOCKETS] == 2
    assert now[DESCRIPTORS] - before[DESCRIPTORS] == 3
    assert now[MEMORY] > 1


def test_files_take_what_they_take(tmp_path: Path) -> None:
    """Those of folders below too."""
    (tmp_path / "below").mkdir()
    for name in ("one", "below/two"):
        (tmp_path / name).write_bytes(os.urandom(1024**2))
    assert 2 <= files_mib(tmp_path) < 2.1


def test_what_grows_with_the_notes_is_said_for_notes_and_is_no_fault() -> None:
    """Five keys a note; nothing else grows."""
    found = {one.name: one for one in growths(sample(0), [sample(m) for m in range(60)], sample(61))}
    assert round(found[KEYS].slope.per_unit) == 5000
    assert found[KEYS].unit == "1,000 notes"
    assert round(found[NOTES].slope.per_unit) == 6000
    assert not any(one.is_too_much for one in found.values())


def test_a_room_that_leaks_is_a_fault_and_a_store_s_cache_is_none() -> None:
    """And so are nodes that no note has, and connections that nobody closes."""
    minutes = [
        sample(m, **{BRAIN_MEMORY: 300.0 + m, MONGODB_MEMORY: 90.0 + m, MONGODB_SOCKETS: 40.0 + m, BEYOND: m})
        for m in range(60)
    ]
    found = growths(sample(0, **{MONGODB_SOCKETS: 3.0}), minutes, sample(61, **{MONGODB_SOCKETS: 3.0}))
    assert {one.name for one in found if one.is_too_much} == {BRAIN_MEMORY, MONGODB_SOCKETS, BEYOND}
    lines = table(found).splitlines()
    (brain,) = (line for line in lines if line.startswith(f"| {BRAIN_MEMORY}"))
    assert brain == f"| {BRAIN_MEMORY} | 300.0 | 315.0 | 359.0 | 300.0 | +60.00 ± 0.00 per hour | **yes** |"


def test_what_is_made_at_the_beginning_does_not_count() -> None:
    """A cache that fills in the first quarter, and stays full."""
    minutes = [sample(m, **{BRAIN_MEMORY: min(300.0 + 20 * m, 600.0)}) for m in range(60)]
    assert not any(one.is_too_much for one in growths(sample(0), minutes, sample(61)))
