"""A department as the CMS names it, and as a run resolves it."""

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from gather_contracts.names import SLUG_PATTERN

DEFAULT_MODEL = "anthropic/claude-sonnet-4.5"
"""Used for a department without a `defaultModel`; the model of the requirements' examples."""


class CoordinationSettings(BaseModel):
    """The part of a department's CMS settings that Gather reads."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")

    quality_threshold: float | None = Field(default=None, ge=0, le=100)


class CmsDepartment(BaseModel):
    """One document of the CMS collection `departments`; unknown fields are ignored."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True, extra="ignore")

    id: str = Field(max_length=64)
    slug: str = Field(pattern=SLUG_PATTERN)
    name: str = Field(min_length=1, max_length=128)
    description: str = Field(default="", max_length=8192)
    code_dep_number: int
    gather_check: bool = True
    is_active: bool = True
    default_model: str | None = Field(default=None, max_length=128)
    coordination_settings: CoordinationSettings | None = None


class ResolvedDepartment(BaseModel):
    """A department with everything decided that the run needs to know of it."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)

    slug: str = Field(pattern=SLUG_PATTERN)
    name: str = Field(max_length=128)
    description: str = Field(default="", max_length=8192)
    code_dep_number: int
    threshold: float = Field(ge=0, le=100)
    model: str = Field(max_length=128)


def resolve_department(
    department: CmsDepartment, run_threshold: float, fallback_model: str = DEFAULT_MODEL
) -> ResolvedDepartment:
    """Return the department with its threshold and model; its own settings go before the run's."""
    own = department.coordination_settings.quality_threshold if department.coordination_settings else None
    return ResolvedDepartment(
        slug=department.slug,
        name=department.name,
        description=department.description,
        code_dep_number=department.code_dep_number,
        threshold=run_threshold if own is None else own,
        model=department.default_model or fallback_model,
    )
