"""How a pair of texts is decided: by a calibration, by the requirements' flat cosine, or by words alone.

Which of them holds depends on what is known: the embedding model that the cosines are of, a calibration for
it, and the cosine itself.
"""

import logging
from dataclasses import replace
from typing import Final

from gather_clients.wording.differences import has_another_word, has_other_numbers, telling_differences
from gather_worker.duplicates.calibration import Calibration, Decision, shipped_calibration
from gather_worker.duplicates.candidates import WORDS_HIGH, WORDS_LOW, Opinion, Pair, Rule, Verdict
from gather_worker.duplicates.features import ComparableText, features_of
from gather_worker.duplicates.word_overlap import overlap, word_set

TEXTS_KEPT: Final = 256
"""A batch has 10 notes and at most 60 saved ones that they are compared with."""

_LOGGER = logging.getLogger(__name__)


def cautious(pair: Pair, opinion: Opinion) -> Opinion:
    """Leave to the model a pair that likeness would drop and whose texts differ in what turns their meaning.

    Where they differ in nothing else, both stay without the model. Of paraphrases only numbers count: of
    those above the cut whose numbers differ half are duplicates, of those with other names, negations or
    orders of names most are (PAN and STS-B), as the calibration found. A word in another's place may be an
    opposite that no list has: of such pairs 97 % are duplicates in PAN, and 57 % in STS-B.
    """
    if not opinion.is_duplicate:
        return opinion
    if telling_differences(pair.text, pair.other):
        return replace(opinion, verdict=Verdict.UNSURE, is_duplicate=False)
    if has_other_numbers(pair.text, pair.other) or has_another_word(pair.text, pair.other):
        return replace(opinion, verdict=Verdict.UNSURE)
    return opinion


def by_words(pair: Pair) -> Opinion:
    """Decide by the words that both have; an unsure pair is no duplicate unless the model says so.

    Keeping a doubtful note costs a reader a moment, dropping it may cost the film a thought.
    """
    likeness = overlap(word_set(pair.text), word_set(pair.other))
    if likeness >= WORDS_HIGH:
        return cautious(pair, Opinion(Verdict.DUPLICATE, is_duplicate=True, likeness=likeness))
    verdict = Verdict.UNSURE if likeness >= WORDS_LOW else Verdict.DIFFERENT
    return Opinion(verdict, is_duplicate=False, likeness=likeness)


class FlatRule:
    """Raw cosine from which a pair is a duplicate; below it words decide."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold

    def __call__(self, pair: Pair) -> Opinion:
        """Return the opinion."""
        if pair.cosine is not None and pair.cosine >= self._threshold:
            return cautious(pair, Opinion(Verdict.DUPLICATE, is_duplicate=True, likeness=pair.cosine))
        return by_words(pair)


class CalibratedRule:
    """A calibration and the user's threshold; words alone for a pair without a cosine.

    An unsure pair that nobody judges falls on its side of the calibrated cut.
    """

    def __init__(self, decision: Decision) -> None:
        self._decision = decision
        self._texts: dict[str, ComparableText] = {}

    def __call__(self, pair: Pair) -> Opinion:
        """Return the opinion."""
        if pair.cosine is None:
            return by_words(pair)
        return cautious(pair, self.by_likeness(pair, pair.cosine))

    def by_likeness(self, pair: Pair, cosine: float) -> Opinion:
        """Return the calibration's own opinion, whatever it is in which the texts differ."""
        features = features_of(self._text(pair.text), self._text(pair.other), max(cosine, 0.0))
        probability = self._decision.calibration.probability(features)
        return Opinion(
            self._decision.verdict(probability),
            is_duplicate=self._decision.is_duplicate(probability),
            likeness=probability,
        )

    def _text(self, text: str) -> ComparableText:
        if len(self._texts) >= TEXTS_KEPT:
            self._texts.clear()
        return self._texts.setdefault(text, ComparableText(text))


def rule_for(embedding_model: str, threshold: float, own: Calibration | None) -> Rule:
    """Return the rule for cosines of an embedding model: the user's own calibration if it is for this model,
    else the shipped one, else the flat threshold, with a warning.
    """
    if own is not None and own.embedding_model != embedding_model:
        _LOGGER.warning(
            "GATHER_DUPLICATE_CALIBRATION is not used: it is for embeddings of %s, the brain's are of %s",
            own.embedding_model, embedding_model,
        )  # fmt: skip
        own = None
    calibration = own or shipped_calibration(embedding_model)
    if calibration is None:
        _LOGGER.warning(
            "no calibration of duplicates for embeddings of %s: a flat cosine of %g decides; "
            "make one with `gather-worker calibrate` and name it in GATHER_DUPLICATE_CALIBRATION",
            embedding_model, threshold,
        )  # fmt: skip
        return FlatRule(threshold)
    return CalibratedRule(Decision(calibration, threshold))
