"""What is booked for one request: never less than was charged; pure.

What an answer's bill says clearly is booked as it says. What it leaves out or what cannot be true is booked
at its worst, which is the request's reserve.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from gather_worker.prompts.tokens import RATIO_MAX

SLACK_TOKENS: Final = 16
"""So many tokens are not missed in a count: short texts are cut in many ways."""


@dataclass(frozen=True, slots=True)
class Bill:
    """What an answer says of its cost; None where it does not say."""

    tokens_in: int | None = None
    tokens_out: int | None = None
    cost_usd: float | None = None
    reasoning: int = 0
    """Of `tokens_out`."""
    cached: int = 0
    """Of `tokens_in`, charged below the price."""
    extra_in: float = 0.0
    """Prices of a prompt's token to be added for what is charged above the price."""
    extra_out: float = 0.0
    searches: int = 0
    premium: float | None = None
    """So many times the usual price costs the tier that served it; None where it is not named."""
    is_byok: bool = False
    """Whether OpenRouter used the account owner's own key at the provider."""
    is_fee_alone: bool = False
    """Whether `cost_usd` is a router's fee, and what the provider takes is not said."""
    is_free_said: bool = False
    """Whether a cost of 0 is meant: OpenRouter says that it charged by its own key."""
    is_computed: bool = False
    """Whether `cost_usd` is what a gateway makes of its own list, which may know no tiers and no searches."""
    total: int = 0
    """Tokens in and out together, as far as said."""
    is_doubtful: bool = False
    """Whether a count was too low to be true."""

    @property
    def is_said(self) -> bool:
        """Return whether it says anything."""
        return bool(self.tokens_in or self.tokens_out or self.total or self.cost_usd or self.is_free_said)

    def checked(self, counted_in: int, counted_out: int) -> "Bill":
        """Return the bill without the counts that texts of so many tokens, by our count, cannot have."""
        too_low_in = self.tokens_in is not None and self.tokens_in < _least(counted_in)
        too_low_out = self.tokens_out is not None and self.tokens_out < _least(counted_out)
        return replace(
            self,
            tokens_in=None if too_low_in else self.tokens_in,
            tokens_out=None if too_low_out else self.tokens_out,
            is_doubtful=too_low_in or too_low_out,
        )


def _least(counted: int) -> int:
    # No model measured needs less than half of our count (docs/prompts.md); as for the most, with a margin.
    return math.ceil(counted / RATIO_MAX) - SLACK_TOKENS


# --- requests without an answer

REFUSED: Final = frozenset(
    {300, 301, 302, 303, 304, 305, 307, 308, 400, 401, 402, 403, 404, 405, 406, 410, 411, 412, 413, 414, 415,
     417, 421, 422, 425, 426, 428, 429, 431, 451, 501, 505, 521, 522, 523, 525, 526, 530}
)  # fmt: skip
"""Statuses of a request that no model was given. OpenRouter: a status other than 200 means that the model did
not start. Novita: 400, 401, 403 and 429 are not charged. Azure: nor are 401 and 429. Perplexity: nor is 429.
Cloudflare: 521 to 526 and 530 did not reach the server."""
UNSURE: Final = frozenset({408, 409, 499, 502, 504, 520, 524})
"""They also end requests that a model works on: Azure charges for 408, Novita for 499; a proxy that waits no
longer says 502, 504, 520 or 524."""
BUSY: Final = frozenset({503, 529})
"""If the API itself says so, and not a proxy that has lost its connection, no model was given the request."""
CHARGED_CODES: Final = frozenset(
    {"json_validate_failed", "tool_use_failed", "output_parse_failed", "content_filter",
     "responsibleaipolicyviolation", "model_error"}
)  # fmt: skip
"""Codes of a refusal that came after work: Groq shows its `failed_generation`; OpenAI's model_error is of
"invalid content" that a model produced; for what Azure's filter refuses with 400, "a charge for both the
prompt and completion tokens will occur"."""
AZURE: Final = (".azure.com", ".azure.us", ".azure.cn")
CHARGED_AT_AZURE: Final = frozenset({"context_length_exceeded", "string_above_max_length"})
"""It charges for "a 400 error due to a content filter or input limit, or a 408 error due to a timeout"."""
FILTER_FEES_USD: Final = {"api.x.ai": 0.05}
"""For what a filter refuses. Source: docs.x.ai, Pricing, "Usage Guidelines Violation Fee"."""
OPENROUTER: Final = "openrouter"
UNBILLED: Final = {
    OPENROUTER: frozenset({500, 502, 503}),
    "generativelanguage.googleapis.com": frozenset({500}),
}
"""Statuses for which a provider says that it does not charge: OpenRouter as in REFUSED; Google: "If your
request fails with a 400 or 500 error, you won't be charged"."""


def may_be_charged(
    status: int,
    codes: Iterable[str],
    host: str,
    *,
    is_passing: bool,
    is_page: bool = False,
    is_in_answer: bool = False,
    is_own_key: bool = False,
) -> bool:
    """Return whether a request that was refused may have been charged; its reserve then stands as spent.

    Args:
        status: of the response, or the one that an error inside a 200 names; 0 if it names none.
        codes: the provider's.
        host: the endpoint's name.
        is_passing: the refusal blames neither the request nor the account, nor a rate; or a server broke.
        is_page: the response is no API's but a proxy's page.
        is_in_answer: the error came with status 200.
        is_own_key: OpenRouter has used the owner's key at a provider, which charges by rules of its own.
    """
    known = {code.lower() for code in codes}
    if known & CHARGED_CODES or (host.endswith(AZURE) and known & CHARGED_AT_AZURE):
        return True
    if host == OPENROUTER and is_in_answer and not is_page and not is_own_key:
        return False  # its zero completion insurance: an answer that ends in an error costs nothing
    if not is_in_answer and not is_page and not is_own_key and status in UNBILLED.get(host, ()):
        return False
    if status in UNSURE:
        return True
    if status in REFUSED or (status in BUSY and not is_page):
        return False
    return is_passing or is_page


# --- what no model wrote

OTHER_TEXT_MAX: Final = 200
"""Characters; the shortest answer that is asked for has braces and is longer."""
DEPTH_MAX: Final = 8
"""What is nested deeper is not looked at, and may be anything."""
_MODEL_WORDS: Final = frozenset(
    {"choices", "candidates", "message", "content", "output", "completion", "usage", "error", "items",
     "verdicts", "depth", "delta", "response", "answer", "result", "text"}
)  # fmt: skip
_STREAM: Final = (b"data:", b"event:", b"id:", b"retry:", b":")


def is_of_no_model(content_type: str, content: bytes, body: Any = None) -> bool:
    """Return whether a response of status 200 cannot be a model's: a page, or the JSON of another API.

    A page is text that is neither JSON nor a stream from its first character on. JSON is another API's if it
    has no word of a completion and no text in which an answer could be. `body` is the parsed content, None
    if it is no JSON. What is empty, cut off or not text may be the rest of an answer.
    """
    if body is not None:
        return _is_of_another_api(body)
    start = content.lstrip()[:OTHER_TEXT_MAX]
    if content_type.partition(";")[0].strip().lower() in {"text/html", "application/xhtml+xml"}:
        return True
    words = "".join(start.decode("utf-8", "ignore").split())
    return bool(words) and words.isprintable() and start[:1] not in b'{["' and not start.startswith(_STREAM)


def _is_of_others(key: Any, entry: Any) -> bool:
    """Return whether it is what other APIs answer: a model's message is an object, its result is one too."""
    return (key == "message" and isinstance(entry, str)) or (key == "result" and entry is None)


def _is_of_another_api(value: Any, depth: int = 0) -> bool:
    if isinstance(value, Mapping | list) and depth == DEPTH_MAX:
        return False
    if isinstance(value, Mapping):
        others = (_is_of_another_api(entry, depth + 1) for entry in value.values())
        named = (key for key, entry in value.items() if not _is_of_others(key, entry))
        return _MODEL_WORDS.isdisjoint(named) and all(others)
    if isinstance(value, list):
        return all(_is_of_another_api(entry, depth + 1) for entry in value)
    return not isinstance(value, str) or (len(value) <= OTHER_TEXT_MAX and "{" not in value)
