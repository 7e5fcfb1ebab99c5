"""What a judge is asked about labelled material: the worker's own rubric, or a question with yes or no.

Both ask for quotes first, and both can be asked in the reversed order: of the notes, or of the two answers.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Protocol

from pydantic import BaseModel, BeforeValidator

from gather_clients.notes.note import Note
from gather_contracts.departments import ResolvedDepartment
from gather_worker.department.evidence import heard, is_quoted
from gather_worker.prompt_files import JUDGE, filled
from gather_worker.prompts import Prompt, build_prompt, fence
from gather_worker.prompts.builders import judge_prompt
from gather_worker.schemas import QualityVerdict, Quotes, Reason

YES_MIN: Final = 50.0
"""Of the rubric's 0 to 100: its levels from 60 on are those of which people would say yes, up to 40 no."""
LABEL_MIN: Final = 0.5
"""People's yes: most of them."""
FILE: Final = Path(__file__).with_name("question.md")
OPTIONS: Final = (("yes or no", "yes | no"), ("no or yes", "no | yes"))
_SECTION: Final = re.compile(r"^# (\w+)$", re.MULTILINE)
_SAID: Final = {"yes": "yes", "true": "yes", "no": "no", "false": "no"}


def _said(value: Any) -> Any:
    return _SAID.get(str(value).strip(" .").lower())


class YesOrNo(BaseModel):
    """An answer to a question, after what it goes by."""

    quotes: Quotes = ()
    reason: Reason = ""
    answer: Annotated[Literal["yes", "no"], BeforeValidator(_said)]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a judge said once: a score, 0-100, and whether a quote of the material stands behind it."""

    score: float
    is_quoted: bool


class Question(Protocol):
    """One question about some material."""

    @property
    def answer(self) -> type[BaseModel]:
        """The shape of its answer."""

    @property
    def length(self) -> int:
        """Characters of the material."""

    def prompt(self, *, is_reversed: bool) -> Prompt:
        """Return the request."""

    def read(self, answer: BaseModel, prompt: Prompt) -> Reading:
        """Return what the answer says."""


@dataclass(frozen=True, slots=True)
class RubricQuestion:
    """How a set of notes stands in one part of the worker's rubric; equal sets are asked about once."""

    department: str
    description: str
    notes: tuple[str, ...]
    part: str

    @property
    def answer(self) -> type[BaseModel]:
        """A verdict on all three parts."""
        return QualityVerdict

    @property
    def length(self) -> int:
        """Characters of the notes."""
        return sum(map(len, self.notes))

    def prompt(self, *, is_reversed: bool) -> Prompt:
        """Return the worker's own request; the notes in its order, or from the last to the first."""
        department = ResolvedDepartment(
            slug="judged", name=self.department, description=self.description, code_dep_number=0, threshold=0,
            model="",
        )  # fmt: skip
        notes = [
            Note(id=f"{number}", content=text, project_id="0" * 24, department="judged")
            for number, text in enumerate(self.notes)
        ]
        prompt = judge_prompt(department, notes)
        if not is_reversed:
            return prompt
        data = json.loads(prompt.user.partition("<data>\n")[2].partition("\n</data>")[0])
        turned = tuple(reversed(prompt.quotable))
        return replace(build_prompt(JUDGE, data | {"notes": turned}), quotable=turned)

    def read(self, answer: BaseModel, prompt: Prompt) -> Reading:
        """Return the part's score, whether it counts or not."""
        assert isinstance(answer, QualityVerdict)
        found = heard(answer, prompt.quotable)
        return Reading(float(getattr(answer, self.part)), found.score(self.part) is not None)


@dataclass(frozen=True, slots=True)
class YesNoQuestion:
    """A question about texts that stand under names, such as a story and its summary."""

    text: str
    material: tuple[tuple[str, tuple[str, ...]], ...]

    @property
    def answer(self) -> type[BaseModel]:
        """Yes or no, with quotes."""
        return YesOrNo

    @property
    def length(self) -> int:
        """Characters of what the question is about, which stands last."""
        return sum(map(len, self.material[-1][1]))

    def prompt(self, *, is_reversed: bool) -> Prompt:
        """Return the request, with "no" before "yes" where it is reversed."""
        version, sections = _question_file()
        options, choice = OPTIONS[is_reversed]
        system = filled(sections["system"], {"options": options, "choice": choice})
        data = fence({name: list(texts) for name, texts in self.material})
        user = filled(sections["user"], {"question": self.text, "data": data})
        quotable = tuple(text for _, texts in self.material for text in texts)
        return Prompt(f"question.v{version}", system, user, quotable=(*quotable, " ".join(quotable)))

    def read(self, answer: BaseModel, prompt: Prompt) -> Reading:
        """Return 100 for yes and 0 for no; a quote that runs over two texts is one, too."""
        assert isinstance(answer, YesOrNo)
        return Reading(100.0 * (answer.answer == "yes"), is_quoted(answer.quotes, prompt.quotable))


@cache
def _question_file() -> tuple[str, Mapping[str, str]]:
    _, head, body = FILE.read_text(encoding="utf-8").split("---\n", 2)
    _, *parts = _SECTION.split(body)
    return head.strip().removeprefix("version: "), dict(
        zip(parts[::2], map(str.strip, parts[1::2]), strict=True)
    )


@dataclass(frozen=True, slots=True)
class Item:
    """A question with what people say: `labels` are the single persons', 0-1; the answer is their mean.

    `group` is what items share: a department, a story, a product. Intervals are drawn by groups.
    """

    group: str
    labels: tuple[float, ...]
    question: Question

    @property
    def label(self) -> float:
        """Return what people say together, 0-1."""
        return sum(self.labels) / len(self.labels)


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Items that are measured together.

    `is_absolute`: people said yes or no of each by itself. Else labels only order the items of one group.
    """

    name: str
    about: str
    is_absolute: bool
    items: Sequence[Item]
    part: str = ""
    """The rubric's part that it is about; "" for yes and no."""
