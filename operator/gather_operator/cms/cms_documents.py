"""Payload's answers into departments: the envelope around a page, and the documents in it."""

import re
from collections.abc import Sequence
from typing import Any, Final

from pydantic import ValidationError

from gather_clients.cms_requests import INSTRUCTIONS_FIELD
from gather_contracts.departments import CmsDepartment
from gather_contracts.instructions import InstructionsReading, read_instructions, value_at
from gather_operator.decisions.facts import CmsReading

UNTICKED: Final = {"gatherCheck": False, "isActive": False}
"""A box that was never ticked is null: it is not ticked."""
NAME_SHOWN_MAX: Final = 40
Location = tuple[int | str, ...]
"""Where in a document a field stands."""


def read_documents(documents: Sequence[Any], instructions_field: str = INSTRUCTIONS_FIELD) -> CmsReading:
    """Return the departments in Payload documents; one that cannot be read is named, not fatal.

    The CMS's own filter is checked again: a department that nobody ticked must not cost money.
    """
    departments: list[CmsDepartment] = []
    malformed: list[str] = []
    defaulted: list[str] = []
    drafts: list[str] = []
    shortened: list[str] = []
    for place, document in enumerate(documents, start=1):
        name = _name_of(document, place)
        try:
            department, wrong, said = _read(document, instructions_field)
        except ValidationError as error:
            malformed.append(f"{name} ({_field(_locations(error)[0]) or 'document'})")
            continue
        if not (department.gather_check and department.is_active):
            if {"gatherCheck", "isActive"} & set(wrong):
                malformed.append(f"{name} ({', '.join(wrong)})")
            continue
        if document.get("_status") == "draft":
            drafts.append(name)
            continue
        departments.append(department)
        if wrong:
            defaulted.append(f"{name} ({', '.join(wrong)})")
        if said.is_cut:
            shortened.append(f"{name} ({instructions_field})")
    return CmsReading(
        tuple(departments), tuple(malformed), defaulted=tuple(defaulted), drafts=tuple(drafts),
        shortened=tuple(shortened),
    )  # fmt: skip


def has_next_page(page: int, body: dict[str, Any]) -> bool:
    """Return whether another page follows; where `hasNextPage` is missing, the other fields say it."""
    says = body.get("hasNextPage")
    if isinstance(says, str):
        return says.strip().lower() in {"true", "1"}
    if says is not None:
        return bool(says)
    return any(page < (count_of(body.get(key)) or 0) for key in ("totalPages", "nextPage"))


def count_of(value: Any) -> int | None:
    """Return a count, also one that was written as text; None if it is none."""
    if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def identity(document: Any, place: int) -> str:
    """Return what is the same for two copies of one document; `place` tells those without a name apart."""
    for key in ("id", "slug"):
        value = document.get(key) if isinstance(document, dict) else None
        if isinstance(value, str | int) and not isinstance(value, bool):
            return f"{key} {value}"
    return f"place {place}"


def shown(text: str, length_max: int) -> str:
    """Return foreign words for a sentence: on one line, printable, and cut."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * length_max])
    return " ".join(printable.split())[:length_max]


def _read(document: Any, instructions_field: str) -> tuple[CmsDepartment, list[str], InstructionsReading]:
    """Return the department, the fields that cannot be used and were left at their defaults, and what its
    instructions say.

    Raises ValidationError where no default would do: for the slug, which names it, and for its number, which
    is its place among the others and what an evaluation is asked for by.
    """
    said = InstructionsReading()
    filled = document
    if isinstance(document, dict):
        said = read_instructions(value_at(document, instructions_field))
        # Over a field of this name, which may hold anything.
        filled = {**UNTICKED, **_without_nulls(document), "instructions": said.instructions}
    unknown = [] if said.is_understood else [instructions_field]
    try:
        return CmsDepartment.model_validate(filled), unknown, said
    except ValidationError as error:
        if not isinstance(filled, dict):
            raise
        wrong = _locations(error)
    # A department without a name is called by its slug.
    usable = {**_without(filled, wrong), "name": filled.get("slug" if ("name",) in wrong else "name")}
    fields = list(dict.fromkeys([*(_field(place) for place in wrong), *unknown]))
    return CmsDepartment.model_validate({**UNTICKED, **usable}), fields, said


def _without(document: dict[str, Any], wrong: Sequence[Location]) -> dict[str, Any]:
    """Return the document without the fields that are wrong, and without those within its groups."""
    whole = {place[0] for place in wrong if len(place) == 1}
    kept = {key: value for key, value in document.items() if key not in whole}
    for group, *inner in (place for place in wrong if len(place) > 1):
        value = kept.get(str(group))
        if isinstance(value, dict):
            kept[str(group)] = {key: v for key, v in value.items() if key != inner[0]}
    return kept


def _locations(error: ValidationError) -> list[Location]:
    return [e["loc"] for e in error.errors(include_url=False, include_context=False, include_input=False)]


def _field(location: Location) -> str:
    return ".".join(str(part) for part in location)


def _without_nulls(document: dict[str, Any]) -> dict[str, Any]:
    """Payload writes null for a field that was never filled, in a document and in its groups."""
    groups = {
        key: {k: v for k, v in value.items() if v is not None} if isinstance(value, dict) else value
        for key, value in document.items()
    }
    return {key: value for key, value in groups.items() if value is not None}


def _name_of(document: Any, place: int) -> str:
    for key in ("slug", "name", "id"):
        value = document.get(key) if isinstance(document, dict) else None
        if isinstance(value, str | int) and (name := shown(str(value), NAME_SHOWN_MAX)):
            return name
    return f"document {place}"
