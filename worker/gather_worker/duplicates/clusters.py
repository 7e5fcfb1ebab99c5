"""Groups of what pairs connect; pure."""

from collections.abc import Iterable


def clusters(count: int, links: Iterable[tuple[int, int]]) -> list[list[int]]:
    """Return the places 0 to `count` - 1 in groups that the links connect, each in rising order.

    The groups stand in the order of their first places; a place without a link is a group of its own.
    """
    root = list(range(count))

    def find(place: int) -> int:
        while root[place] != place:
            root[place] = root[root[place]]
            place = root[place]
        return place

    for one, other in links:
        root[find(one)] = find(other)
    groups: dict[int, list[int]] = {}
    for place in range(count):
        groups.setdefault(find(place), []).append(place)
    return list(groups.values())
