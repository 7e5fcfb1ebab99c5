"""The shapes of the model's answers: a pydantic model checks them, its JSON schema goes with the request.

The schema says less than the model checks: providers refuse or silently ignore length and range keywords
(llama.cpp skips what it does not know), so bounds stand in the descriptions for the model and are checked
here.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from gather_contracts.items import CONTENT_MAX, CONTEXT_MAX, SUMMARY_MAX
from gather_contracts.text_cleaning import clean, letters, shortened

ITEMS_MIN = 5
ITEMS_MAX = 10
CONTENT_MIN = 20
"""Shorter than any real note; the models' usual failure is "..." or a heading."""
CONTENT_LETTERS_MIN = 10
"""In any script; a row of dots, dashes or emoji is not a note."""
REASON_MAX = 400

_DROPPED_KEYWORDS = frozenset(
    {"title", "minLength", "maxLength", "minItems", "maxItems", "minimum", "maximum", "pattern", "default"}
)


def _says_something(text: str) -> str:
    if letters(text) < CONTENT_LETTERS_MIN:
        raise ValueError("a note is made of words")
    return text


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Draft(_Answer):
    """A note as the model wrote it, before anyone has decided to keep it."""

    content: Annotated[
        str,
        AfterValidator(clean),
        Field(min_length=CONTENT_MIN, max_length=CONTENT_MAX),
        AfterValidator(_says_something),
    ] = Field(description="The note itself: concrete, complete sentences, 40 to 200 words.")
    summary: Annotated[str, AfterValidator(clean), Field(min_length=1, max_length=SUMMARY_MAX)] = Field(
        description="The note in one sentence of at most 25 words."
    )
    context: Annotated[str, AfterValidator(clean), Field(max_length=CONTEXT_MAX)] = Field(
        description="Why this matters to the film, in one or two sentences."
    )


class DraftBatch(_Answer):
    """5 to 10 notes."""

    items: list[Draft] = Field(
        min_length=ITEMS_MIN, max_length=ITEMS_MAX, description=f"{ITEMS_MIN} to {ITEMS_MAX} notes."
    )


Reason = Annotated[str, AfterValidator(lambda text: shortened(clean(text), REASON_MAX))]
"""Shortened rather than refused: a verdict is not worth less for a long reason, or for none."""


class QualityVerdict(_Answer):
    """The rubric's three scores, each 0-100; each reason comes first, so that the score follows from it."""

    depth_reason: Reason = Field(default="", description="Why this depth, in at most two sentences.")
    depth: float = Field(ge=0, le=100, description="Level of detail, 0 to 100, by the rubric.")
    coherence_reason: Reason = Field(default="", description="Why this coherence, in at most two sentences.")
    coherence: float = Field(
        ge=0, le=100, description="Consistency of the notes with each other, 0 to 100, by the rubric."
    )
    actionability_reason: Reason = Field(
        default="", description="Why this actionability, in at most two sentences."
    )
    actionability: float = Field(
        ge=0, le=100, description="How usable for the crew, 0 to 100, by the rubric."
    )


class PairVerdict(_Answer):
    """Whether the two texts of one pair say the same."""

    pair: int = Field(description="The pair's number.")
    duplicate: bool = Field(description="True only if the second note adds nothing to the first.")


class PairVerdicts(_Answer):
    """One verdict for each pair."""

    verdicts: list[PairVerdict] = Field(max_length=100, description="One verdict for each pair.")


def json_schema(answer: type[BaseModel]) -> dict[str, Any]:
    """Return the answer's schema in the form that strict structured output wants.

    Every property is required, no other is allowed, references are opened, bounds are left out.
    """
    schema = answer.model_json_schema()
    opened: dict[str, Any] = _opened(schema, schema.get("$defs", {}))
    return opened


def _opened(node: Any, definitions: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_opened(entry, definitions) for entry in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target = definitions[node["$ref"].rsplit("/", 1)[-1]]
        return _opened(target, definitions)
    if "properties" in node:
        properties = {name: _opened(sub, definitions) for name, sub in node["properties"].items()}
        described = {"description": node["description"]} if "description" in node else {}
        return {
            "type": "object",
            **described,
            "properties": properties,
            "required": list(properties),
            "additionalProperties": False,
        }
    return {
        key: _opened(value, definitions)
        for key, value in node.items()
        if key not in _DROPPED_KEYWORDS and key != "$defs"
    }
