"""`run.json`: all that a worker knows of its run, in one immutable ConfigMap.

User text travels in this file alone: the kubelet expands `$(NAME)` in arguments and environment values.
"""

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gather_contracts.departments import ResolvedDepartment
from gather_contracts.resource import DEPARTMENTS_MAX, GatherRunSpec

RUN_DOCUMENT_MAX_BYTES = 512 * 1024
"""Half of what a ConfigMap may hold (1 MiB); 32 departments with full descriptions need 270 KiB."""


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


def encode_run_document(document: RunDocument) -> str:
    """Return the document as JSON; equal documents give equal text."""
    return document.model_dump_json(by_alias=True, exclude_none=True)


def decode_run_document(text: str) -> RunDocument:
    """Return the document in `text`; raises ValueError if it is too large or malformed."""
    if len(text.encode()) > RUN_DOCUMENT_MAX_BYTES:
        raise ValueError(f"run document is larger than {RUN_DOCUMENT_MAX_BYTES} bytes")
    return RunDocument.model_validate_json(text)
