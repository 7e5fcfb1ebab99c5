"""Words of the command line become values here; typer's own way imports pydantic at each call.

That would be half of the time to the first line, and the only compiled code that the command line needs. A
kind of value that is not known here goes typer's way.
"""

from enum import Enum
from typing import Any, get_args, get_origin

import typer
import typer.core
from typer._coercion import RuntimeParam, TypeDescriptor
from typer._coercion import build_runtime_param as build_by_pydantic

NUMBERS = {int: "a whole number", float: "a number"}


class QuickParam(RuntimeParam):
    """Text, numbers within bounds, words of an enum, and lists of them."""

    def _coerce_value(self, value: Any, param: Any, ctx: Any) -> Any:
        try:
            if _is_list(self.annotation):
                (kind,) = get_args(self.annotation)
                return [self._one(kind, each) for each in value]
            return self._one(self.annotation, value)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from None

    def _one(self, kind: Any, value: Any) -> Any:
        if isinstance(value, kind):
            return value
        if issubclass(kind, Enum):
            return self._word(kind, str(value))
        if kind not in NUMBERS:
            return kind(value)
        try:
            number = kind(value)
        except ValueError:
            raise ValueError(f"{value} is not {NUMBERS[kind]}") from None
        low, high = self.parameter_info.min, self.parameter_info.max
        is_low, is_high = low is not None and not number >= low, high is not None and not number <= high
        if is_low or is_high:
            bounds = f"{low:g} or more" if high is None else f"{low:g} to {high:g}"
            raise ValueError(f"{value} is not in the range: {bounds}")
        return number

    def _word(self, kind: type[Enum], value: str) -> Enum:
        for member in kind:
            if value == member.value or (
                not self.parameter_info.case_sensitive and value.lower() == member.value.lower()
            ):
                return member
        words = ", ".join(str(member.value) for member in kind)
        raise ValueError(f"{value} is not one of {words}")


def _is_list(kind: Any) -> bool:
    origin: Any = get_origin(kind)
    return origin is list and bool(get_args(kind))


def build(descriptor: TypeDescriptor) -> RuntimeParam:
    """Return what turns a parameter's words into values."""
    kind = descriptor.annotation
    inner = get_args(kind)[0] if _is_list(kind) else kind
    is_known = isinstance(inner, type) and (inner in {str, bool, int, float} or issubclass(inner, Enum))
    if not is_known or descriptor.file_annotation is not None or descriptor.parameter_info.parser is not None:
        return build_by_pydantic(descriptor)
    return QuickParam(annotation=kind, parameter_info=descriptor.parameter_info)


def install() -> None:
    """Let typer take this way."""
    core: Any = typer.core
    core.build_runtime_param = build
