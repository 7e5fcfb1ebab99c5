"""The shapes of the model's answers: a pydantic model checks them, its JSON schema goes with the request.

The schema says less than the model checks: providers refuse or silently ignore length and range keywords
(llama.cpp skips what it does not know), so bounds stand in the descriptions for the model and are checked
here. The descriptions are those of the prompt's file: no word of this module reaches a model.
"""

import re
from functools import cache
from itertools import islice
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from gather_contracts.items import CONTENT_MAX, CONTEXT_MAX, SUMMARY_MAX
from gather_contracts.text_cleaning import clean, letters, shortened
from gather_worker.prompt_files import DUPLICATES, GENERATE, JUDGE, lines

ITEMS_MIN = 5
ITEMS_MAX = 10
VERDICTS_MAX: Final = 100
CONTENT_MIN = 20
"""Shorter than any real note; the models' usual failure is "..." or a heading."""
CONTENT_LETTERS_MIN = 10
"""In any script; a row of dots, dashes or emoji is not a note."""
REASON_MAX = 400
QUOTES_MAX: Final = 3
"""For each part of a verdict; one that stands in the notes is enough."""
QUOTE_MAX: Final = 240
"""Characters; the 25 words that are asked for are some 150. A longer one is cut, and is one all the same."""

_DROPPED_KEYWORDS = frozenset(
    {"title", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "pattern", "default"}
)
_SCORE: Final = re.compile(r"\s*(\d{1,3}(?:\.\d+)?)\s*(?:/\s*100|%)?\s*")
_TRUTHS: Final = {"true": True, "false": False}
_BULLET: Final = re.compile(r"^[\s*•-]+")


def _says_something(text: str) -> str:
    if letters(text) < CONTENT_LETTERS_MIN:
        raise ValueError("a note is made of words")
    return text


def _score(value: Any) -> Any:
    """Return the number that a text is: 72 for "72", "72/100" and "72 %"; a truth value is none."""
    said = _SCORE.fullmatch(value) if isinstance(value, str) else None
    return float(said[1]) if said else _no_truth(value)


def _quotes(value: Any) -> tuple[str, ...]:
    """Return the texts of a list, of one text with a quote a line, or of objects that hold one each."""
    if isinstance(value, str):
        value = value.splitlines()
    if isinstance(value, dict):
        value = list(value.values())
    listed = value if isinstance(value, list | tuple) else []
    texts = (max(_texts_in(each), key=len, default="") for each in islice(listed, 10 * QUOTES_MAX))
    cleaned = (_BULLET.sub("", clean(text))[:QUOTE_MAX].strip() for text in texts)
    return tuple(islice(dict.fromkeys(filter(None, cleaned)), QUOTES_MAX))


def _texts_in(value: Any) -> list[str]:
    values = value.values() if isinstance(value, dict) else [value]
    return [each for each in values if isinstance(each, str)]


def _no_truth(value: Any) -> Any:
    """Refuse what pydantic would take for 0 or 1."""
    return None if isinstance(value, bool) else value


def _truth(value: Any) -> Any:
    """Return what "true" and "false" say; pydantic would take "on", "n" and 1 as well."""
    if isinstance(value, str):
        return _TRUTHS.get(value.strip().lower())
    return value if isinstance(value, bool) else None


class Answer(BaseModel):
    """What is asked of a model; `prompt` is the name of the file that describes the fields."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    prompt: ClassVar[str] = ""


class Batch(Answer):
    """An answer that is a list; each entry counts by itself."""

    list_name: ClassVar[str]
    entry: ClassVar[type[BaseModel]]
    least: ClassVar[int] = 1
    most: ClassVar[int]


class Draft(Answer):
    """A note as the model wrote it, before anyone has decided to keep it."""

    content: Annotated[
        str,
        AfterValidator(clean),
        Field(min_length=CONTENT_MIN, max_length=CONTENT_MAX),
        AfterValidator(_says_something),
    ]
    summary: Annotated[str, AfterValidator(clean), Field(min_length=1, max_length=SUMMARY_MAX)]
    context: Annotated[
        str,
        BeforeValidator(lambda value: "" if value is None else value),
        AfterValidator(clean),
        Field(max_length=CONTEXT_MAX),
    ] = ""
    """Empty where the model gives none: a note may have an empty one, and says what it says without it."""


class DraftBatch(Batch):
    """New notes."""

    prompt = GENERATE
    list_name = "items"
    entry = Draft
    least = ITEMS_MIN
    most = ITEMS_MAX

    items: list[Draft] = Field(min_length=ITEMS_MIN, max_length=ITEMS_MAX)


Reason = Annotated[
    str,
    BeforeValidator(lambda value: value if isinstance(value, str) else ""),
    AfterValidator(lambda text: shortened(clean(text), REASON_MAX)),
]
"""Shortened rather than refused: a verdict is not worth less for a long reason, or for none."""
Quotes = Annotated[tuple[str, ...], BeforeValidator(_quotes)]
"""What the verdict goes by, in the notes' own words; whether they are that is looked at elsewhere."""
Score = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False), BeforeValidator(_score)]


class QualityVerdict(Answer):
    """The rubric's three scores, each 0-100; quotes and reason come first, so that the score follows from
    them.
    """

    prompt = JUDGE

    depth_quotes: Quotes = ()
    depth_reason: Reason = ""
    depth: Score
    coherence_quotes: Quotes = ()
    coherence_reason: Reason = ""
    coherence: Score
    actionability_quotes: Quotes = ()
    actionability_reason: Reason = ""
    actionability: Score


class PairVerdict(Answer):
    """Whether the two texts of one pair say the same."""

    pair: Annotated[int, BeforeValidator(_no_truth)]
    duplicate: Annotated[bool, BeforeValidator(_truth)]


class PairVerdicts(Batch):
    """One verdict for each pair."""

    prompt = DUPLICATES
    list_name = "verdicts"
    entry = PairVerdict
    most = VERDICTS_MAX

    verdicts: list[PairVerdict] = Field(max_length=VERDICTS_MAX)

    @field_validator("verdicts")
    @classmethod
    def _without_contradictions(cls, verdicts: list[PairVerdict]) -> list[PairVerdict]:
        """Leave out pairs on which both was said: neither is a verdict."""
        said = {(verdict.pair, verdict.duplicate) for verdict in verdicts}
        return [verdict for verdict in verdicts if (verdict.pair, not verdict.duplicate) not in said]


@cache
def json_schema(answer: type[BaseModel]) -> dict[str, Any]:
    """Return the answer's schema in the form that strict structured output wants, made once a shape.

    Every property is required, no other is allowed, references are opened, bounds are left out.
    """
    schema = answer.model_json_schema()
    prompt = answer.prompt if issubclass(answer, Answer) else ""
    described = lines(prompt, "form") if prompt else {}
    opened: dict[str, Any] = _opened(schema, schema.get("$defs", {}), described)
    return opened


def _opened(node: Any, definitions: dict[str, Any], described: dict[str, str]) -> Any:
    if isinstance(node, list):
        return [_opened(entry, definitions, described) for entry in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _opened(definitions[node["$ref"].rsplit("/", 1)[-1]], definitions, described)
    if "properties" in node:
        properties = {
            name: ({"description": described[name]} if name in described else {})
            | _opened(sub, definitions, described)
            for name, sub in node["properties"].items()
        }
        return {
            "type": "object",
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    return {
        key: _opened(value, definitions, described)
        for key, value in node.items()
        if key not in _DROPPED_KEYWORDS and key not in {"$defs", "description"}
    }
