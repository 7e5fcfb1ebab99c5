"""The input of `gather-worker score`: files with a department and its notes; errors name file and line.

The files are a user's: a CMS document, a line of a database dump, or notes typed by hand.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field

from gather_clients.cms_requests import INSTRUCTIONS_FIELD
from gather_clients.notes.note import Note
from gather_contracts.departments import DEFAULT_MODEL, ResolvedDepartment
from gather_contracts.instructions import read_instructions
from gather_contracts.items import CONTENT_MAX
from gather_contracts.names import OBJECT_ID_PATTERN, SLUG_PATTERN
from gather_worker.calibrate.record_file import AS_UTF8, RecordForm, checked, parsed, read_records
from gather_worker.errors import InvalidInput

FILE_MAX_BYTES: Final = 1024 * 1024
"""Of a department; a description has 8 KiB at most."""
ITEMS_MAX: Final = 5_000
"""As many as a worker reads of a project."""
ITEMS: Final = RecordForm(
    example='"…" or {"content": "…"}',
    columns=("content",),
    further=("department", "projectId"),
    records_max=ITEMS_MAX,
)
DEPARTMENT_EXAMPLE: Final = '{"slug": "story"}'

_LOGGER = logging.getLogger(__name__)

Name = Annotated[str | None, Field(max_length=128)]


class _Given(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Department(_Given):
    slug: str = Field(pattern=SLUG_PATTERN)
    name: Name = None
    description: Annotated[str, BeforeValidator(lambda text: text or ""), Field(max_length=8192)] = ""
    model: Name = Field(default=None, validation_alias=AliasChoices("model", "defaultModel"))
    instructions: Any = Field(default=None, validation_alias=AliasChoices(INSTRUCTIONS_FIELD, "instructions"))


class _Item(_Given):
    content: str = Field(min_length=1, max_length=CONTENT_MAX)
    department: str | None = None
    project_id: Annotated[str | None, Field(pattern=OBJECT_ID_PATTERN)] = Field(
        default=None, validation_alias=AliasChoices("projectId", "project_id")
    )


class NamedProject(_Given):
    """A project that an argument names."""

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
    department = read_department(department_file)
    given = [
        checked(_Item, as_object(record.data), record.place) for record in read_records(items_file, ITEMS)
    ]
    own = [item for item in given if item.department in {None, department.slug}]
    if not own:
        raise InvalidInput(f"{items_file}: no items of department {department.slug}; {ITEMS.wanted}")
    if project is not None:
        project_id = checked(NamedProject, {"project": project}, "arguments").project
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


def read_department(file: Path) -> ResolvedDepartment:
    """Return the department of a file, in the form of the CMS or of run.json; raises InvalidInput."""
    data = parsed(_text(file), str(file), f"; wanted is a JSON object such as {DEPARTMENT_EXAMPLE}")
    found = checked(_Department, data, str(file))
    said = read_instructions(found.instructions)
    if not said.is_understood:
        _LOGGER.warning("%s: instructions of a form that is not known are left out", file)
    return ResolvedDepartment(
        slug=found.slug,
        name=found.name or found.slug,
        description=found.description,
        code_dep_number=0,
        threshold=0,
        model=found.model or DEFAULT_MODEL,
        instructions=said.instructions,
    )


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
        raise InvalidInput(f"{file}: not UTF-8 at byte {error.start}: {AS_UTF8}") from error


def as_object(data: Any) -> Any:
    """Return a note that is only a text as an object."""
    return {"content": data} if isinstance(data, str) else data
