"""Models whose JSON schema says of each field what stands below it in the source.

pydantic's own `use_attribute_docstrings` reads and parses the source of every class while it is imported,
which was 50 ms of a process's start; here that is done when a schema is wanted.
"""

import ast
import inspect
import textwrap
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema


class Described(BaseModel):
    """A model that describes its fields in its JSON schema."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the schema with the descriptions of those fields that have none in it yet."""
        schema = handler(core)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in field_descriptions(cls).items():
            field = cls.model_fields[name]
            for key in {name, field.alias} & properties.keys():
                properties[key].setdefault("description", text)
        return schema


def describe(*models: type[BaseModel]) -> None:
    """Describe the fields of these models themselves: FastAPI reads those of a query, not its schema."""
    for model in models:
        for name, text in field_descriptions(model).items():
            field = model.model_fields[name]
            field.description = field.description or text


@cache
def field_descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return what stands below the model's fields, inherited ones included, by the fields' names."""
    found = dict[str, str]()
    for each in reversed(model.__mro__):
        if issubclass(each, Described) and each is not Described:
            found |= _own_descriptions(each)
    return {name: text for name, text in found.items() if name in model.model_fields}


def _own_descriptions(model: type) -> dict[str, str]:
    made = ast.parse(textwrap.dedent(inspect.getsource(model))).body[0]
    if not isinstance(made, ast.ClassDef):
        return {}
    return {
        field.target.id: inspect.cleandoc(below.value.value)
        for field, below in pairwise(made.body)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }
