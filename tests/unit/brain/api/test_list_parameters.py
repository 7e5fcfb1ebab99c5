"""Lists in a query: every usual form is read as the same list, at every endpoint that has one."""

from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gather_brain.api.list_parameters import LISTS, ListParameter, with_one_form
from gather_brain.app import published_document

DEPARTMENTS, IDS = LISTS
FORMS = [
    "{name}[]=story&{name}[]=visual",
    "{name}%5B%5D=story&{name}%5B%5D=visual",
    "{name}=story&{name}=visual",
    "{name}=story,visual",
    "{name}=,story,,visual,",
    "{name}[]=story,visual",
    "{name}[0]=story,visual",
    "{name}[0]=story&{name}[1]=visual",
    "{name}%5B0%5D=story&{name}%5B1%5D=visual",
    "{name}[]=story&{name}=visual&{name}[]=",
    "&{name}=%73tory&&{name}=visual&",
]


def read(query: str) -> list[tuple[str, str]]:
    """What an endpoint reads of a query."""
    return parse_qsl(with_one_form(query.encode()).decode(), keep_blank_values=True)


def test_every_list_of_the_document_is_read_in_all_forms() -> None:
    """A list that is added is one of these, or this fails."""
    operations = [each for path in published_document()["paths"].values() for each in path.values()]
    parameters = [each for operation in operations for each in operation.get("parameters", ())]
    lists = {each["name"] for each in parameters if each["schema"].get("type") == "array"}
    assert lists == {each.read_as for each in LISTS}


@pytest.mark.parametrize("parameter", LISTS, ids=lambda each: each.name)
@pytest.mark.parametrize("form", FORMS)
def test_every_usual_form_is_the_same_list(parameter: ListParameter, form: str) -> None:
    """As libraries of different languages write it."""
    query = f"limit=5&{form.format(name=parameter.name)}&x=a%2Cb"
    entries = [(parameter.read_as, "story"), (parameter.read_as, "visual")]
    assert read(query) == [("limit", "5"), ("x", "a,b"), *entries]


@pytest.mark.parametrize("suffix", ["", "[]", "[0]"])
def test_an_encoded_comma_is_part_of_an_id_and_between_two_departments(suffix: str) -> None:
    """An id may be any text, and what is deleted by mistake is lost; a department's name has no comma."""
    assert read(f"ids{suffix}=a%2Cb,c&ids{suffix}=%2c") == [("ids", "a,b"), ("ids", "c"), ("ids", ",")]
    two = [("previousDepartments[]", "story"), ("previousDepartments[]", "visual")]
    assert read(f"previousDepartments{suffix}=story%2Cvisual") == two


@pytest.mark.parametrize(
    "query",
    ["", "limit=5&x=1,2", "ids_=a,b", "ids[a]=b", "ids[]x=a", "ids[12345]=a", "%ff=%fe&ids2=a"],
)
def test_what_is_no_form_of_a_list_stays(query: str) -> None:
    """An unknown parameter is refused by its name."""
    before = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    after = parse_qsl(with_one_form(query.encode()).decode(), True, errors="surrogateescape")
    assert after == before


@given(st.binary(max_size=60))
def test_any_bytes_are_read_and_reading_twice_changes_nothing(query: bytes) -> None:
    """Queries come from anywhere."""
    once = with_one_form(query + b"&ids=a")
    assert with_one_form(once) == once


@given(st.lists(st.text(min_size=1, max_size=8).filter(lambda text: text.isprintable()), min_size=1))
def test_ids_that_are_encoded_come_as_they_are(ids: list[str]) -> None:
    """Whatever is in them."""
    query = "&".join(f"ids={quote(each, safe='')}" for each in ids)
    assert read(query) == [("ids", each) for each in ids]
