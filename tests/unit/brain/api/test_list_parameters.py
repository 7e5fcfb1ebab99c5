"""Lists in a query: every usual form is read as the same list."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.api.list_parameters import with_one_form


@pytest.mark.parametrize(
    "query",
    [
        b"list[]=story&list[]=visual",
        b"list%5B%5D=story&list%5B%5D=visual",
        b"list=story&list=visual",
        b"list=story,visual",
        b"list=story%2Cvisual,",
        b"list[]=story,visual",
        b"list[0]=story&list[1]=visual",
        b"list%5B0%5D=story&list%5B1%5D=visual",
        b"list[]=story&list=visual&list[]=",
    ],
)
def test_every_usual_form_is_the_same_list(query: bytes) -> None:
    """As libraries of different languages write it."""
    assert with_one_form(b"limit=5&" + query + b"&x=a,b", "list") == (
        b"limit=5&x=a%2Cb&list%5B%5D=story&list%5B%5D=visual"
    )


@pytest.mark.parametrize(
    "query",
    [b"", b"limit=5&x=1,2", b"lists=a,b", b"list[a]=b", b"list[]x=a", b"list[12345]=a", b"%ff=%fe&list2=a"],
)
def test_what_is_no_form_of_the_list_stays(query: bytes) -> None:
    """An unknown parameter is refused by its name."""
    before = parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape")
    after = parse_qsl(with_one_form(query, "list").decode("latin-1"), True, errors="surrogateescape")
    assert after == before


@given(st.binary(max_size=60))
def test_any_bytes_are_read_and_reading_twice_changes_nothing(query: bytes) -> None:
    """Queries come from anywhere."""
    once = with_one_form(query, "list")
    assert with_one_form(once, "list") == once or b"list" not in query
