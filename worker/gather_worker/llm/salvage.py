"""The typed answer in what a model wrote; pure."""

import json
from typing import Any, Final, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

from gather_worker.errors import AnswerInvalid
from gather_worker.llm.chat_completion import Completion

ERRORS_SHOWN: Final = 5

AnswerT = TypeVar("AnswerT", bound=BaseModel)


def read_answer(completion: Completion, answer: type[AnswerT]) -> AnswerT:
    """Return the typed answer; raises AnswerInvalid with a message that helps the model to fix it."""
    if completion.is_cut_off:
        raise AnswerInvalid("the answer was cut off at the token limit; write less", completion.text)
    try:
        return answer.model_validate(_json_object(completion.text))
    except ValidationError as error:
        shown = error.errors(include_url=False, include_input=False)[:ERRORS_SHOWN]
        problems = (f"{'.'.join(map(str, e['loc'])) or 'answer'}: {e['msg']}" for e in shown)
        raise AnswerInvalid("; ".join(problems), completion.text) from error


def _json_object(text: str) -> Any:
    """Return the JSON object in the text; some models wrap it in a fence or a sentence.

    Stricter than `json` is by itself: NaN and infinities are no JSON, and of two equal keys it is not ours to
    choose one.
    """

    def no_constant(name: str) -> NoReturn:
        raise ValueError(f"{name} is not JSON")

    def with_unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            raise AnswerInvalid("the answer has an object with two equal keys", text)
        return found

    start, end = text.find("{"), text.rfind("}")
    if start < 0 or end < start:
        raise AnswerInvalid("the answer is not a JSON object", text)
    try:
        return json.loads(
            text[start : end + 1], parse_constant=no_constant, object_pairs_hook=with_unique_keys
        )
    except (ValueError, RecursionError) as error:
        raise AnswerInvalid("the answer is not valid JSON", text) from error
