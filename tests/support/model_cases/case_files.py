"""The table of cases: what endpoints answered, and what the gateway is to make of it.

One YAML file a case, in a folder for its kind. A text may hold notes by number: `@notes:8@` is the JSON
object of notes 1 to 8, `@items:8@` their list, `@note:3@` one, `@note:1-7@` several with commas between;
`@python:8@` is the list in Python's words, `@single:8@`, `@smart:8@` and `@bare:8@` the object with single,
with typographic and without quotes; `@json:notes:8@` is all that as a JSON string, `@escaped:notes:8@` such a
string without its quotes; `@long@` is text of 11,600 characters, `@deep@` 100,000 brackets. A text that is
`=notes:8` (or `=items:8`, `=note:3`) alone is the object itself.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from dev.paths import ROOT

FOLDER: Final = ROOT / "tests" / "data" / "model_answers"
FILE_MAX_BYTES: Final = 64 * 1024

Kind = Literal["bill", "reading", "form", "failure", "transport"]
Step = Literal["understood", "salvaged", "asked again", "other form", "fallback", "sent again", "stopped"]
End = Literal["misconfigured", "try again", "budget used"]
Endpoint = Literal[
    "openrouter", "openai", "azure", "anthropic", "google", "xai", "deepseek", "mistral", "groq", "vllm",
    "llama.cpp", "ollama", "lm studio", "litellm", "other",
]  # fmt: skip
Format = Literal["json_schema", "json_object", "none"]
Line = Annotated[str, Field(min_length=3, max_length=400)]
USD_MAX: Final = 100.0


class _Part(BaseModel):
    """A part of a case's file; nothing in it is ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ListedPrice(_Part):
    """USD for a million tokens; the owner's setting."""

    input: float = Field(ge=0, le=USD_MAX)
    output: float = Field(ge=0, le=USD_MAX)


class Asked(_Part):
    """The request form in which it was asked."""

    endpoint: Endpoint = "other"
    model: Line = "anthropic/claude-sonnet-4.5"
    fallbacks: list[Line] = Field(default_factory=list, max_length=4)
    budget_usd: float = Field(default=1.0, gt=0, le=USD_MAX)
    price: ListedPrice | None = ListedPrice(input=1.0, output=5.0)
    """None: nobody has named it."""
    max_tokens: int = Field(default=8000, ge=1, le=100_000)
    wants: Literal["notes", "verdict", "pairs"] = "notes"
    language: str = Field(default="", max_length=8)
    """Of the notes; "" if it is not known."""
    questions: int = Field(default=1, ge=1, le=4)
    """How often the notes are asked for, one after the other; the case is about the last."""


class Charged(_Part):
    """What the provider truly charged for one request; tokens in and out together."""

    usd: float = Field(ge=0, le=USD_MAX)
    tokens: int = Field(ge=0, le=10_000_000)


CHARGED: Final = Charged(usd=0.011, tokens=3000)
"""For 1,000 tokens in and 2,000 out at 1 and 5 USD a million."""
USAGE: Final = {"prompt_tokens": 1000, "completion_tokens": 2000, "total_tokens": 3000}


class Completion(_Part):
    """A chat completion in short; what is not said is as in a good one."""

    content: Any = None
    finish: Any = "stop"
    message: dict[str, Any] = Field(default_factory=dict)
    """Further keys of the message."""
    choice: dict[str, Any] = Field(default_factory=dict)
    """Further keys of the choice."""
    more: dict[str, Any] = Field(default_factory=dict)
    """Further keys of the body."""
    usage: Any = USAGE


class Answer(_Part):
    """One answer: exactly one of `completion`, `body` (JSON), `text`, `base64`, `events`, `fails`."""

    times: int = Field(default=1, ge=1, le=10)
    """It comes so often, one after the other."""
    status: int = Field(default=200, ge=200, le=599)
    headers: dict[str, str] = Field(default_factory=dict)
    completion: Completion | None = None
    body: Any = None
    text: str | None = Field(default=None, max_length=FILE_MAX_BYTES)
    base64: str | None = Field(default=None, max_length=FILE_MAX_BYTES)
    events: list[Any] | None = Field(default=None, max_length=100)
    """Of a stream: a text goes as it is, everything else as the JSON of one `data:` line."""
    fails: Literal["connect", "read timeout", "broken"] | None = None
    """Instead of an answer."""
    encoding: Literal["gzip", "deflate", "raw deflate", "br"] | None = None
    charged: Charged | None = None
    """None: nothing; with `completion` and its common usage, what that comes to."""

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [self.completion, self.body, self.text, self.base64, self.events, self.fails]
        if sum(one is not None for one in given) != 1:
            raise ValueError("an answer is exactly one of completion, body, text, base64, events, fails")
        return self

    @property
    def truth(self) -> Charged:
        """Return what was charged."""
        if self.charged:
            return self.charged
        is_common = self.completion is not None and self.completion.usage == USAGE
        return CHARGED if is_common and self.status == 200 else Charged(usd=0, tokens=0)


class Request(_Part):
    """What one request is to look like; what is not named is not compared."""

    format: Format | None = None
    limit: Literal["max_tokens", "max_completion_tokens"] | None = None
    """The one key that bounds the answer."""
    limit_most: int | None = None
    limit_least: int | None = None
    says: list[str] = Field(default_factory=list)
    """Words of the last message."""


class Expected(_Part):
    """What becomes of it."""

    steps: list[Step] = Field(min_length=1, max_length=20)
    """What follows each answer; the last one ends the question."""
    notes: int = Field(default=0, ge=0, le=10)
    """The notes from 1 to this number."""
    others: list[Line] = Field(default_factory=list)
    """Contents of notes that have no number."""
    dropped: int = Field(default=0, ge=0)
    """Notes of the last answer that cannot be taken."""
    value: dict[str, Any] = Field(default_factory=dict)
    """Of a verdict, or of verdicts on pairs: fields of the answer."""
    ends: End | None = None
    """How the worker's attempt ends where there is no answer at the department's first iteration."""
    words: list[Line] = Field(default_factory=list)
    """That the log or the termination message names."""
    never: list[Line] = Field(default_factory=list)
    """That neither of them may hold."""
    bill: Literal["exact", "at worst"] = "exact"
    """Whether the ledger is what was charged, or higher where nobody can know it."""
    requests: list[Request] = Field(default_factory=list)
    waits_s: float = Field(default=0, ge=0)
    """Seconds of all waits together, at least."""

    @property
    def numbers(self) -> list[int]:
        """Return the notes' numbers."""
        return list(range(1, self.notes + 1))

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if (self.steps[-1] in {"understood", "salvaged"}) != (
            self.ends is None and bool(self.numbers or self.value)
        ):
            raise ValueError("a case ends with notes, with a value or with `ends`")
        return self


class Case(_Part):
    """One case of the table."""

    title: Line
    source: Line
    """The provider's document, or the public report (repository and number); "invented" for the others."""
    asked: Asked = Asked()
    answers: list[Answer] = Field(min_length=1, max_length=20)
    then: Literal["good", "last"] = "good"
    """What follows the answers: a good one of eight notes, or the last one again and again."""
    expect: Expected

    name: str = ""
    kind: Kind = "reading"

    @property
    def sequence(self) -> list[Answer]:
        """Return the answers one by one."""
        return [answer for answer in self.answers for _ in range(answer.times)]

    @model_validator(mode="after")
    def _has_its_ends(self) -> Self:
        ends = [step for step in self.expect.steps if step in {"understood", "salvaged", "stopped"}]
        if len(ends) != self.asked.questions:
            raise ValueError("a question has one end, and nothing follows it")
        return self


def read_case(path: Path) -> Case:
    """Return the case of a file; raises ValueError for what is none."""
    content = path.read_bytes()
    if len(content) > FILE_MAX_BYTES:
        raise ValueError(f"{path}: more than {FILE_MAX_BYTES} bytes")
    loaded = yaml.load(content, Loader=yaml.CSafeLoader)  # each collection of the tests reads all files
    return Case.model_validate({**loaded, "name": path.stem, "kind": path.parent.name})


@cache
def cases() -> tuple[Case, ...]:
    """Return all cases, in the order of their names."""
    return tuple(read_case(path) for path in sorted(FOLDER.glob("*/*.yaml")))
