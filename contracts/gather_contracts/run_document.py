"""`run.json`: all that a worker knows of its run, in one immutable ConfigMap.

User text travels in this file alone: the kubelet expands `$(NAME)` in arguments and environment values.
"""

from collections.abc import Callable
from typing import Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from pydantic_core import to_json

from gather_contracts.departments import ResolvedDepartment
from gather_contracts.resource import DEPARTMENTS_MAX, GatherRunSpec

RUN_DOCUMENT_MAX_BYTES: Final = 896 * 1024
"""Of what a ConfigMap may hold (1 MiB). 32 full descriptions need 270 KiB in English, 790 KiB in Japanese,
their instructions 320 KiB more."""
NOTES_BYTES: Final = 8 * 1024
"""Kept free for what is said about the shortening itself, and for what is said besides."""


class RunIdentity(BaseModel):
    """Which resource the run belongs to; the UID tells a recreated run from its namesake."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    name: str = Field(max_length=253)
    namespace: str = Field(max_length=63)
    uid: str = Field(max_length=64)


class RunDocument(BaseModel):
    """The ids, the spec and the departments of one run, as resolved at its start."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    version: int = 1
    run: RunIdentity
    spec: GatherRunSpec
    departments: list[ResolvedDepartment] = Field(min_length=1, max_length=DEPARTMENTS_MAX)
    left_out: list[str] = Field(default_factory=list, max_length=8)
    """Sentences about departments that were selected or named but could not take part."""
    notes: list[str] = Field(default_factory=list, max_length=8)
    """Sentences about what was read otherwise than the CMS has it."""
    has_outbox: bool = False
    """Whether the events for the run's webhook go into the outbox; older documents say nothing of it."""


def encode_run_document(document: RunDocument) -> str:
    """Return the document as JSON; equal documents give equal text."""
    return document.model_dump_json(by_alias=True, exclude_none=True)


def fit_texts(document: RunDocument) -> tuple[RunDocument, tuple[str, ...]]:
    """Return the document within its bound, and the slugs of departments whose texts were shortened.

    Descriptions, instructions and examples may all have equally many bytes; what a short one leaves over goes
    to the long ones.
    """
    departments = document.departments
    sizes = [_size(text) for d in departments for text in _texts(d)]
    bare = [_with_texts(d, lambda _: "") for d in departments]
    frame = len(encode_run_document(document.model_copy(update={"departments": bare})).encode())
    share = _fair_share(sizes, RUN_DOCUMENT_MAX_BYTES - NOTES_BYTES - frame)
    if share is None:
        return document, ()
    fitted = [_with_texts(d, lambda text: _cut(text, share)) for d in departments]
    shortened = tuple(d.slug for d, before in zip(fitted, departments, strict=True) if d != before)
    return document.model_copy(update={"departments": fitted}), shortened


def _texts(department: ResolvedDepartment) -> list[str]:
    own = department.instructions
    return [department.description, *((own.text, *own.examples) if own else ())]


def _with_texts(department: ResolvedDepartment, change: Callable[[str], str]) -> ResolvedDepartment:
    """Return the department with each of its texts changed."""
    changed: dict[str, object] = {"description": change(department.description)}
    if own := department.instructions:
        examples = tuple(change(example) for example in own.examples)
        changed["instructions"] = own.model_copy(update={"text": change(own.text), "examples": examples})
    return department.model_copy(update=changed)


def _fair_share(sizes: list[int], room: int) -> int | None:
    """Return how many bytes each may have so that all fit into the room; None if they fit as they are."""
    if sum(sizes) <= room:
        return None
    left = room
    for taken, size in enumerate(sorted(sizes)):
        share = left // (len(sizes) - taken)
        if size > share:
            return max(share, 0)
        left -= size
    raise AssertionError("unreachable: not all sizes are below their share")


def _size(text: str) -> int:
    """Return the bytes of a text within JSON, as pydantic writes it, without its quotation marks."""
    return len(to_json(text)) - len('""')


def _cut(text: str, size_max: int) -> str:
    """Return as much of the text's beginning as fits."""
    size = 0
    for place, char in enumerate(text):
        size += _size(char)
        if size > size_max:
            return text[:place].rstrip()
    return text


def decode_run_document(text: str) -> RunDocument:
    """Return the document in `text`; raises ValueError if it is too large or malformed."""
    if len(text.encode()) > RUN_DOCUMENT_MAX_BYTES:
        raise ValueError(f"run document is larger than {RUN_DOCUMENT_MAX_BYTES} bytes")
    return RunDocument.model_validate_json(text)
