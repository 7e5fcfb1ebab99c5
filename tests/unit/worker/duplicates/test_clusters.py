"""What hangs together by pairs."""

from hypothesis import given
from hypothesis import strategies as st

from gather_worker.duplicates.clusters import clusters

PLACES = st.integers(0, 9)


def test_links_connect_places() -> None:
    """Also by way of others, in whichever order they come."""
    assert clusters(6, [(4, 1), (0, 3), (1, 2)]) == [[0, 3], [1, 2, 4], [5]]
    assert clusters(0, []) == []


@given(st.lists(st.tuples(PLACES, PLACES)))
def test_every_place_is_in_one_group_with_all_that_it_is_linked_to(links: list[tuple[int, int]]) -> None:
    """And the order of the links does not matter."""
    found = clusters(10, links)
    assert sorted(place for group in found for place in group) == list(range(10))
    assert all(any({one, other} <= set(group) for group in found) for one, other in links)
    assert clusters(10, links[::-1]) == found
