"""The input of `gather-worker score`: files with a department and its notes; errors name file and line.

The files are a user's: a CMS document, a line of a database dump, or notes typed by hand.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, TypeVar

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from gather_clients.notes.note import Note
from gather_contracts.departments import DEFAULT_MODEL, ResolvedDepartment
from gather_contracts.items import CONTENT_MAX
from gather_contracts.names import OBJECT_ID_PATTERN, SLUG_PATTERN
from gather_worker.errors import InvalidInput

FILE_MAX_BYTES: Final = 32 * 1024 * 1024
ITEMS_MAX: Final = 5_000
"""As many as a worker reads of a project."""

ModelT = TypeVar("ModelT", bound=BaseModel)
Name = Annotated[str | None, Field(max_length=128)]


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Department(_Given):
    slug: str = Field(pattern=SLUG_PATTERN)
    name: Name = None
    description: Annotated[str, BeforeValidator(lambda text: text or ""), Field(max_length=8192)] = ""
    model: Name = Field(default=None, validation_alias=AliasChoices("model", "defaultModel"))


class _Item(_Given):
    content: str = Field(min_length=1, max_length=CONTENT_MAX)
    department: str | None = None
    project_id: Annotated[str | None, Field(pattern=OBJECT_ID_PATTERN)] = Field(
        default=None, validation_alias=AliasChoices("projectId", "project_id")
    )


class _Project(_Given):
    project: str = Field(pattern=OBJECT_ID_PATTERN)


@dataclass(frozen=True, slots=True)
class ScoreInput:
    """What is to be scored; `items` are the department's own, in their order."""

    department: ResolvedDepartment
    items: list[Note]
    left_out: int
    """Items that name another department."""
    project_id: str


def read_score_input(department_file: Path, items_file: Path, project: str | None) -> ScoreInput:
    """Return what the files hold; raises InvalidInput naming the file, the line and the field."""
    department = _department(department_file)
    given = [_checked(_Item, data, where) for where, data in _records(items_file)]
    own = [item for item in given if item.department in {None, department.slug}]
    if not own:
        raise InvalidInput(f"{items_file}: no items of department {department.slug}")
    if project is not None:
        project_id = _checked(_Project, {"project": project}, "arguments").project
    else:
        named = {item.project_id for item in given if item.project_id}
        if len(named) != 1:
            found = "several" if named else "none"
            raise InvalidInput(f"--project is needed: {items_file} names {found}")
        project_id = named.pop()
    items = [
        Note(id=f"item-{number}", content=item.content, project_id=project_id, department=department.slug)
        for number, item in enumerate(own)
    ]
    return ScoreInput(department, items, len(given) - len(own), project_id)


def _department(file: Path) -> ResolvedDepartment:
    data = _parsed(_text(file), str(file))
    found = _checked(_Department, data, str(file))
    return ResolvedDepartment(
        slug=found.slug,
        name=found.name or found.slug,
        description=found.description,
        code_dep_number=0,
        threshold=0,
        model=found.model or DEFAULT_MODEL,
    )


# --- files


def _text(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(FILE_MAX_BYTES + 1)
        if len(content) > FILE_MAX_BYTES:
            raise InvalidInput(f"{file}: larger than {FILE_MAX_BYTES // 1024 // 1024} MiB")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file}: not UTF-8 at byte {error.start}") from error


def _records(file: Path) -> list[tuple[str, Any]]:
    """Return each item's place and data, of a JSON list or of JSON Lines."""
    text = _text(file)
    if text.lstrip().startswith("["):
        found = [(f"{file}: item {number}", data) for number, data in enumerate(_parsed(text, str(file)), 1)]
    else:
        # Not splitlines(): JSON may hold other line ends of Unicode unescaped.
        lines = [(f"{file}: line {number}", line) for number, line in enumerate(text.split("\n"), 1)]
        found = [(where, _parsed(line, where)) for where, line in lines if line.strip()]
    if len(found) > ITEMS_MAX:
        raise InvalidInput(f"{file}: {len(found)} items, at most {ITEMS_MAX} are taken")
    return [(where, {"content": data} if isinstance(data, str) else data) for where, data in found]


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidInput(f"{where}: not JSON: {error}") from error
    except RecursionError as error:
        raise InvalidInput(f"{where}: nested too deeply") from error


def _checked(model: type[ModelT], data: Any, where: str) -> ModelT:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InvalidInput(f"{where}: {field + ': ' if field else ''}{first['msg']}") from error
