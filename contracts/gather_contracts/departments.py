"""A department as the CMS names it, and as a run resolves it."""

import re
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gather_contracts.instructions import Instructions
from gather_contracts.names import SLUG_PATTERN
from gather_contracts.resource import DEFAULT_RETRIES, RETRIES_MAX
from gather_contracts.rich_text import field_text, localized
from gather_contracts.text_cleaning import writable

DEFAULT_MODEL = "anthropic/claude-sonnet-4.5"
"""Used for a department without a `defaultModel`; the model of the requirements' examples."""

ID_MAX: Final = 64
NAME_MAX: Final = 128
DESCRIPTION_MAX: Final = 8192
MODEL_DEPTH_MAX: Final = 4
"""Objects within objects in which a model's name is looked for."""
_WHOLE_NUMBER = re.compile(r"^\s*[+-]?[0-9]{1,9}(\.0{1,9})?\s*$")
_DOCUMENT_ID = re.compile(
    r"^\s*([0-9a-fA-F]{24}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|[0-9]+)\s*$"
)
"""The id of a document on MongoDB, of a UUID, or of a number on SQL."""
_MODEL_FIELDS: Final = ("model", "modelId", "slug", "value", "name", "id")
"""Where a related document, as Payload answers it at a depth of 1, may hold the model's name."""


def _id(value: Any) -> str:
    """MongoDB's ids are text, those of Postgres and SQLite are numbers; nothing depends on it."""
    is_id = isinstance(value, str | int) and not isinstance(value, bool)
    return writable(str(value))[:ID_MAX] if is_id else ""


def _slug(value: Any) -> Any:
    value = localized(value)
    return writable(value).strip() if isinstance(value, str) else value


def _name(value: Any) -> Any:
    if isinstance(value, str | dict | list):
        return " ".join(field_text(value, NAME_MAX).split())
    return value


def _description(value: Any) -> Any:
    """A description that nobody wrote, or in a form that is not known, must not cost the department."""
    return field_text(value, DESCRIPTION_MAX)


def _number(value: Any) -> Any:
    """Refuse what only looks like a number to Python."""
    value = localized(value)
    if isinstance(value, bool):
        raise ValueError("is not a number")  # noqa: TRY004 - pydantic takes no TypeError
    return value


def _whole_number(value: Any) -> Any:
    """Take a number that was written as text, and nothing that only looks like a number to Python."""
    value = _number(value)
    if isinstance(value, str) and _WHOLE_NUMBER.match(value):
        return int(float(value))
    if isinstance(value, str):
        raise ValueError("is not a whole number")  # noqa: TRY004 - pydantic takes no TypeError
    return value


def _model(value: Any, depth: int = MODEL_DEPTH_MAX) -> Any:
    """Return a model's name; the id of a related document is none, and asking for it would cost a run."""
    value = localized(value)
    if isinstance(value, dict) and depth > 0:
        inner = [
            _model(value[key], depth - 1) for key in _MODEL_FIELDS if isinstance(value.get(key), str | dict)
        ]
        return next((name for name in inner if isinstance(name, str) and "/" in name), value)
    if isinstance(value, str) and _DOCUMENT_ID.match(value):
        raise ValueError("is an id and not a model's name")
    return (writable(value).strip() or None) if isinstance(value, str) else value


class CoordinationSettings(BaseModel):
    """The part of a department's CMS settings that Gather reads."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", defer_build=True
    )

    quality_threshold: Annotated[float | None, BeforeValidator(_number)] = Field(default=None, ge=0, le=100)
    """Gather's own; goes before the application's."""
    min_quality_threshold: Annotated[float | None, BeforeValidator(_number)] = Field(
        default=None, ge=0, le=100
    )
    max_retries: Annotated[int | None, BeforeValidator(_whole_number)] = Field(default=None, ge=0)

    @property
    def threshold(self) -> float | None:
        """Return the department's own threshold, if it has one."""
        return self.min_quality_threshold if self.quality_threshold is None else self.quality_threshold


class CmsDepartment(BaseModel):
    """One document of the CMS collection `departments`; unknown fields are ignored."""

    model_config = ConfigDict(
        frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore", defer_build=True
    )

    id: Annotated[str, BeforeValidator(_id)] = Field(default="", max_length=ID_MAX)
    slug: Annotated[str, BeforeValidator(_slug)] = Field(pattern=SLUG_PATTERN)
    name: Annotated[str, BeforeValidator(_name)] = Field(min_length=1, max_length=NAME_MAX)
    description: Annotated[str, BeforeValidator(_description)] = Field(default="", max_length=DESCRIPTION_MAX)
    code_dep_number: Annotated[int, BeforeValidator(_whole_number)] = Field(ge=-(10**9), le=10**9)
    gather_check: Annotated[bool, BeforeValidator(localized)] = True
    is_active: Annotated[bool, BeforeValidator(localized)] = True
    default_model: Annotated[str | None, BeforeValidator(_model)] = Field(default=None, max_length=128)
    coordination_settings: CoordinationSettings | None = None
    instructions: Instructions | None = None
    """Read from the field that the operator is set to, never from one of this name."""


class ResolvedDepartment(BaseModel):
    """A department with everything decided that the run needs to know of it."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    slug: str = Field(pattern=SLUG_PATTERN)
    name: str = Field(max_length=NAME_MAX)
    description: str = Field(default="", max_length=DESCRIPTION_MAX)
    code_dep_number: int
    threshold: float = Field(ge=0, le=100)
    model: str = Field(max_length=128)
    retries: int = Field(default=DEFAULT_RETRIES, ge=0, le=RETRIES_MAX)
    """Further attempts after a failed one."""
    instructions: Instructions | None = None
    """What the production wants of the department's notes; older documents say nothing of it."""

    @property
    def example_notes(self) -> tuple[str, ...]:
        """Return the notes that show how the department's shall be."""
        return self.instructions.examples if self.instructions else ()


def resolve_department(
    department: CmsDepartment,
    run_threshold: float,
    fallback_model: str = DEFAULT_MODEL,
    run_retries: int | None = None,
) -> ResolvedDepartment:
    """Return the department with all that is decided once.

    Its own threshold and model go before the run's; the run's retries, if it says any, before its own.
    """
    own = department.coordination_settings or CoordinationSettings()
    return ResolvedDepartment(
        slug=department.slug,
        name=department.name,
        description=department.description,
        code_dep_number=department.code_dep_number,
        threshold=run_threshold if own.threshold is None else own.threshold,
        model=department.default_model or fallback_model,
        retries=resolve_retries(own.max_retries, run_retries),
        instructions=department.instructions,
    )


def resolve_retries(own: int | None, run_retries: int | None) -> int:
    """Return the run's retries, else the department's own (at most `RETRIES_MAX`), else the default."""
    if run_retries is not None:
        return run_retries
    return DEFAULT_RETRIES if own is None else min(own, RETRIES_MAX)
