"""Limits, types and forms that the bodies share."""

from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    StringConstraints,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError
from typing_extensions import TypeAliasType

from gather_contracts.model_bases.described import Described
from gather_contracts.names import OBJECT_ID_PATTERN
from gather_contracts.text import SEEN_PATTERN, is_blank

NODES_PER_BATCH_MAX = 50
CONTENT_MAX = 8000
COVERAGE_ITEMS_MAX = 100
CONTEXT_DEPARTMENTS_MAX = 32
EXCLUDED_IDS_MAX = 200
PROPERTIES_MAX = 32
PROPERTY_TEXTS_MAX = 50
"""Texts in a property that is a list."""

DUPLICATE_THRESHOLD = 0.90
"""Raw cosine from which texts count as near duplicates unless a caller says otherwise: the policy score."""

SEARCH_CONTENTS_MAX = 50
SEARCH_LIMIT_MAX = 50
SIMILARITY_PAIRS_MAX = 50
CONTEXT_LIMIT_MAX = 100
DEPARTMENT_MAX = 63
NODE_ID_MAX = 64
NODES_PAGE_DEFAULT = 100
NODES_PAGE_MAX = 500
DELETED_IDS_MAX = 100
"""They stand in the address, of which servers and proxies take some kilobytes."""
FIELDS_MAX: Final = 16
"""More fields than any body has. Each unknown one is an error of its own, and two MiB hold 200,000."""


def _few_fields(value: Any) -> Any:
    """Refuse an object at once that has more fields than are looked at one by one."""
    return _not_more_than(FIELDS_MAX, value)


def _few_properties(value: Any) -> Any:
    return _not_more_than(PROPERTIES_MAX, value)


def _not_more_than(most: int, value: Any) -> Any:
    if isinstance(value, dict) and len(value) > most:
        raise PydanticCustomError("too_many", "Object should have at most {most} fields", {"most": most})
    return value


ProjectId = Annotated[
    str, StringConstraints(pattern=OBJECT_ID_PATTERN, min_length=24, max_length=24, to_lower=True)
]
"""Kept in lower case, so that one project has one name however its hexadecimal digits are written."""
Department = Annotated[str, Field(min_length=1, max_length=DEPARTMENT_MAX)]
NodeId = Annotated[str, Field(min_length=1, max_length=NODE_ID_MAX)]
NodeType = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]


def _seen(text: str) -> str:
    if is_blank(text):
        raise PydanticCustomError("blank", "Text should hold something that a reader sees")
    return text


def _as_long_as_one(texts: list[str]) -> list[str]:
    if sum(map(len, texts)) > CONTENT_MAX:
        raise PydanticCustomError("too_long_together", "Texts should be as long as one together")
    return texts


Content = Annotated[
    str,
    Field(min_length=1, max_length=CONTENT_MAX, json_schema_extra={"pattern": SEEN_PATTERN}),
    AfterValidator(_seen),
]
"""A text that is embedded or compared; one that says nothing would be like all others that do."""
PropertyName = Annotated[str, Field(max_length=CONTENT_MAX)]
"""As long as texts: OpenAPI 3.0 has no word for a shorter bound, and callers would learn of it too late."""
PropertyText = Annotated[str, Field(max_length=CONTENT_MAX)]
PropertyTexts = Annotated[
    list[PropertyText], Field(max_length=PROPERTY_TEXTS_MAX), AfterValidator(_as_long_as_one)
]
PropertyValue = TypeAliasType(
    "PropertyValue",
    PropertyText
    | bool
    | Annotated[int, Field(json_schema_extra={"format": "int64"})]
    | FiniteFloat
    | PropertyTexts
    | None,
)
"""With a name of its own, as all that follow: what has none gets one by each generator of clients."""
JsonObject = TypeAliasType("JsonObject", dict[str, Any])
"""Any JSON object, in answers: a later version may keep more than this one takes."""
DEPARTMENT_PROPERTY: Final[dict[str, Any]] = {
    "properties": {
        "department": {
            "type": "string",
            "minLength": 1,
            "maxLength": DEPARTMENT_MAX,
            "description": "Files the node under its department.",
        }
    }
}
"""What `NodeIn` checks beyond the type of its properties, for the schema to say too."""
NodeProperties = TypeAliasType(
    "NodeProperties",
    Annotated[
        dict[PropertyName, PropertyValue],
        Field(max_length=PROPERTIES_MAX, json_schema_extra=DEPARTMENT_PROPERTY),
        BeforeValidator(_few_properties),
    ],
)


class Body(Described):
    """A body whose JSON names are camelCase."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=to_camel,
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )


class RequestBody(Body):
    """A body that a caller sends; a field that it does not know is refused, since a typo would be ignored.

    Types are strict: the text "5" is no number, as the published schema says.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _has_few_fields(cls, value: Any) -> Any:
        return _few_fields(value)


class SnakeBody(Described):
    """A body whose JSON names stand as they are (the requirements mix both)."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)
