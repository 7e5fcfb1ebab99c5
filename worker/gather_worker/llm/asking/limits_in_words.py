"""How long an answer may be by the words of a refusal, in small letters; pure.

The words are those of OpenAI, OpenRouter, Anthropic, DeepSeek, vLLM, Hugging Face, Together, Cohere and
llama.cpp.
"""

import re
from typing import Final

MARGIN_TOKENS: Final = 64
"""For what a chat's template adds to the prompt, which endpoints count differently in errors."""

# Compiled when an endpoint refuses something: no start waits for it.
_TOKENS: Final = r"([\d,]{1,12})"
_LIMIT: Final = (
    r"max[_ ](?:(?:completion|output|new)[_ ])?tokens|max_?output_?tokens|completion tokens|output tokens"
)
_AFFORDED: Final = rf"can only afford {_TOKENS}"
_NUMBER: Final = r"(?<![\w.-])\d{1,3}(?:,\d{3})+(?![\w.])|(?<![\w.-])\d+(?![\w-]|\.\d)"
_CONTEXT: Final = (
    r"(?:context (?:length|window|size)|n_ctx|max_model_len)\D{0,40}?([\d,]{3,12})|"
    r"([\d,]{3,12}) (?:tokens? )?context"
)
_PROMPT: Final = (
    rf"resulted in {_TOKENS}|"
    rf"{_TOKENS}(?: tokens?)? (?:in|of|from) (?:the |your )?(?:messages|prompt|input|text)|"
    rf"{_TOKENS} (?:of )?(?:text )?(?:input|prompt)(?: tokens)?|"
    rf"(?:prompt|input) (?:contains|has|of|is)(?: at least)? {_TOKENS}"
)
_SUMMED: Final = rf"{_TOKENS} \+ {_TOKENS} > {_TOKENS}"
"""Anthropic: "input length and `max_tokens` exceed context limit: 197994 + 21333 > 200000"."""
_GIVEN: Final = rf"<= {_TOKENS}\W{{0,4}}given: {_TOKENS}\W{{1,3}}inputs?\b"
"""Hugging Face, Together: "`inputs` tokens + `max_new_tokens` must be <= 8192. Given: 6204 `inputs` tokens".
"""
_REQUESTED: Final = (
    rf"(?:limit|maximum)\D{{0,60}}?{_TOKENS}.{{0,80}}?requested(?: about)? {_TOKENS}"
    r"(?![\d,]| (?:output|completion))"
)
"""Of prompt and answer together; newer vLLMs name the answer's alone."""
_AT_LEAST: Final = r"at least \d"


def limit_in(text: str, asked: int) -> int | None:
    """Return how long an answer may be, in tokens; None where the words are of something else.

    `asked` is how long the refused request's answer was allowed to be.
    """
    if afforded := re.search(_AFFORDED, text):
        return _count(afforded[1])
    limit = _beside_the_prompt(text, asked)
    return _stated(text, asked) if limit is None and re.search(_LIMIT, text) else limit


def _stated(text: str, asked: int) -> int:
    """Return the largest number below the `asked` one; half of that where the words name none."""
    numbers = (_count(found) for found in re.findall(_NUMBER, text))
    most = max((number for number in numbers if 0 < number < asked), default=0)
    if not most:
        return asked // 2
    return most - 1 if f"{most} (exclusive)" in text else most


def _beside_the_prompt(text: str, asked: int) -> int | None:
    """Return what the model's context leaves beside the prompt; None if it is not said."""
    if requested := re.search(_REQUESTED, text):
        allowed, wanted = map(_count, requested.groups())
        return asked - (wanted - allowed) - MARGIN_TOKENS if wanted > allowed else None
    if summed := re.search(_SUMMED, text):
        prompt, _, context = map(_count, summed.groups())
        return context - prompt - MARGIN_TOKENS
    if given := re.search(_GIVEN, text):
        context, prompt = map(_count, given.groups())
        return context - prompt - MARGIN_TOKENS
    found = re.search(_CONTEXT, text), re.search(_PROMPT, text)
    if found[0] is None or found[1] is None:
        return asked // 2 if found[0] else None
    context, prompt = (_count(next(filter(None, each.groups()))) for each in found if each)
    left = context - prompt - MARGIN_TOKENS
    # vLLM counts a prompt only as far as it must: its number comes of the limit then, and grows as that
    # shrinks (NousResearch/hermes-agent 89923).
    is_bound = re.search(_AT_LEAST, text) or prompt + asked == context + 1
    return min(left, asked // 2) if is_bound else left


def _count(number: str) -> int:
    return int(number.replace(",", "") or 0)
