"""Which headers of a request may hold a secret, so that no log shows them: all but a closed list; pure."""

import re
from typing import Final

HARMLESS: Final = frozenset(
    {"http-referer", "referer", "x-title", "x-openrouter-title", "x-openrouter-categories", "user-agent",
     "accept-language", "anthropic-version", "anthropic-beta", "openai-beta"}
)  # fmt: skip
"""They say who asks by a name that everybody may read. Their words are ordinary ones: struck out, "Gather" as
a title would be missing in every line. Source: OpenRouter, "App Attribution"; Anthropic and OpenAI, versions.
"""
_LIKE_A_SECRET: Final = re.compile(r"[@?=]|[A-Za-z0-9_-]{24,}")
"""A user in an address, a parameter, or as long a word as keys are."""
_SCHEME: Final = re.compile(r"(?:bearer|basic|token|key|api[-_]?key)[ =]+", re.IGNORECASE)
"""What may stand before a key in a header, and not where a server repeats the key."""

KEY_IN_URL: Final = r"[?&]([\w-]*(?:key|token|secret|password|signature|sig))="
"""A parameter of an address whose value is a secret, in small letters."""


def may_be_secret(name: str, value: str) -> bool:
    """Return whether a header's value may be a secret; the name decides, and what the value looks like."""
    return name.lower() not in HARMLESS or _LIKE_A_SECRET.search(value) is not None


def without_scheme(value: str) -> str:
    """Return what stands behind Bearer and the like, the value itself where nothing does."""
    found = _SCHEME.match(value)
    return value[found.end() :] if found else value
