"""How many of a model's tokens a prompt can have at most, from what the model said of earlier ones; pure.

A count of ours is not a model's, and three things make the two differ from prompt to prompt: the script of
the texts; an answer's schema, which some endpoints show to the model and charge and others do not; and how
words are cut. Ollama does not count the schema (ollama/ollama 11022), OpenAI about half of it
(openai/openai-cookbook 2140). The first two are bounded by what was seen and the most of any model, the last
one by a margin.
"""

import math
from dataclasses import dataclass
from typing import Final

from gather_worker.prompts.tokens import RATIO_MAX

MARGIN: Final = 1.25
"""On the highest ratio seen: another text of the same run may suit the model's vocabulary less."""
UNSEEN: Final = RATIO_MAX / MARGIN
"""Until a prompt was seen: the highest ratio of any model, margin included."""


@dataclass(frozen=True, slots=True)
class PromptSize:
    """A prompt in tokens by our own count."""

    texts: int
    schema: int = 0
    """Of the answer's schema beside the texts; 0 if none is sent."""
    foreign: int = 0
    """Of `texts`, those in other scripts than Latin."""

    @property
    def whole(self) -> int:
        """Return the tokens of texts and schema."""
        return self.texts + self.schema

    def with_more(self, tokens: int) -> "PromptSize":
        """Return the size with further tokens of texts."""
        return PromptSize(self.texts + tokens, self.schema, self.foreign)


@dataclass(frozen=True, slots=True)
class PromptBound:
    """The highest ratios seen of a model's tokens to ours."""

    whole: float = UNSEEN
    """If it is shown the schema."""
    texts: float = UNSEEN
    """If it is not."""
    foreign_share: float = 0.0
    """The highest share of other scripts in a prompt that was seen."""

    def at_most(self, size: PromptSize) -> int:
        """Return how many tokens of the model the prompt has at most.

        Whatever part of the schema is charged, its tokens lie between the two cases, so that the higher one
        bounds them. Of other scripts, what goes beyond the share seen may have the highest ratio of any.
        """
        unseen = max(0.0, size.foreign - self.foreign_share * size.texts)
        seen = MARGIN * max(self.whole * size.whole, self.texts * size.texts)
        return math.ceil(min(RATIO_MAX * size.whole, seen + RATIO_MAX * unseen))

    def learned(self, size: PromptSize, reported: int, *, is_first: bool) -> "PromptBound":
        """Return the bound after a prompt of which the model has reported its tokens.

        `is_first`: nothing was seen before, what stands here is assumed.
        """
        whole, texts = (min(RATIO_MAX, reported / tokens) for tokens in (size.whole, size.texts))
        share = size.foreign / size.whole
        if is_first:
            return PromptBound(whole, texts, share)
        return self.merged(PromptBound(whole, texts, share))

    def merged(self, other: "PromptBound") -> "PromptBound":
        """Return the bound that knows what both have seen."""
        return PromptBound(
            max(self.whole, other.whole),
            max(self.texts, other.texts),
            max(self.foreign_share, other.foreign_share),
        )


NOTHING_SEEN: Final = PromptBound()
