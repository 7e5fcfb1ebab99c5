"""Separates new notes from duplicates: queries the brain and the model, then lets `candidates` decide.

Either may be unavailable: without the brain words alone decide, without the model the calibrated cut does.
"""

import hashlib
import logging
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from typing import Final

from gather_clients.notes.note import Note
from gather_contracts.brain import CONTENT_MAX
from gather_contracts.meters import Timer
from gather_contracts.text_cleaning import shortened
from gather_worker.duplicates import candidates
from gather_worker.duplicates.calibration import Calibration
from gather_worker.duplicates.candidates import (
    JUDGED_CHARS,
    JUDGED_PAIRS_MAX,
    DecidedBy,
    Pair,
    Repeat,
    Rule,
)
from gather_worker.duplicates.rules import by_words, rule_for
from gather_worker.duplicates.word_overlap import text_hash
from gather_worker.errors import NO_ANSWER, BrainUnusable
from gather_worker.llm.gateway import ModelGateway
from gather_worker.metrics import metered
from gather_worker.prompt_files import DUPLICATES
from gather_worker.prompts import builders
from gather_worker.schemas import Draft, PairVerdicts
from gather_worker.services.brain import Brain

VERDICTS_KEPT: Final = 200
"""The model's newest, in the checkpoint; an iteration adds 20 at most."""

_LOGGER = logging.getLogger(__name__)

Verdicts = Mapping[str, bool]
"""What the model has said, by `verdict_key`."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of one batch: notes, and pairs of notes."""

    drafts: int
    copies: int
    """Notes dropped for equal words."""
    near: int
    """Notes dropped for what they say."""
    unsure_pairs: int
    judged_pairs: int
    """Of the unsure pairs, those that the model was asked about now."""
    remembered_pairs: int
    """Of the unsure pairs, those that it had been asked about before."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The slots of the notes that say something new, in order, and what to remember."""

    kept: list[int]
    verdicts: dict[str, bool]
    counts: Counts
    repeats: Mapping[int, Repeat]
    """What each dropped note says again."""


class Deduplicator:
    """Chooses the new notes of one project's batches.

    `threshold` is the policy score that a drop needs, 0 to 1; `own` the user's own calibration; `examples`
    are notes that the model was shown as examples, and is not to write again.
    """

    def __init__(
        self,
        brain: Brain,
        model: ModelGateway,
        judge_model: str,
        threshold: float,
        own: Calibration | None,
        *,
        examples: Sequence[str] = (),
    ) -> None:
        self._brain = brain
        self._model = model
        self._judge_model = judge_model
        self._threshold = threshold
        self._own = own
        self._examples = examples
        self._rule: tuple[str, Rule] | None = None

    @metered(Timer.DEDUPE)
    async def choose(
        self,
        drafts: Sequence[Draft],
        notes: Sequence[Note],
        department: str,
        verdicts: Verdicts,
        *,
        excluded_ids: Container[str] = (),
    ) -> Choice:
        """Return which of the drafts to keep; `notes` are all of the project's saved notes that count.

        Notes of `excluded_ids` do not, though the brain may know them.
        """
        saved = chain(self._examples, (note.content for note in notes))
        findings = candidates.find_copies(drafts, map(text_hash, saved))
        slots = candidates.open_slots(len(drafts), findings)
        compared = [*compared_texts(notes, department), *self._examples]
        pairs, rule = await self._pairs(drafts, slots, compared, excluded_ids)
        unsure = candidates.decide(findings, pairs, rule)
        said = await self._judge([pair for pair, _ in unsure], verdicts)
        known = {**verdicts, **said}
        for pair, opinion in unsure:
            verdict = known.get(self._key(pair))
            is_duplicate = opinion.is_duplicate if verdict is None else verdict
            if is_duplicate:
                findings.add(pair, DecidedBy.RULE if verdict is None else DecidedBy.MODEL)
        kept = candidates.survivors(len(drafts), findings)
        keys = {self._key(pair) for pair, _ in unsure}
        counts = Counts(
            drafts=len(drafts),
            copies=len(drafts) - len(slots),
            near=len(slots) - len(kept),
            unsure_pairs=len(unsure),
            judged_pairs=len(said),
            remembered_pairs=len(keys & verdicts.keys()),
        )
        _LOGGER.info(
            "duplicates dropped: %d of %d", len(drafts) - len(kept), len(drafts), extra=asdict(counts)
        )
        repeats = {
            slot: candidates.repeated(slot, findings) for slot in range(len(drafts)) if slot not in kept
        }
        return Choice(kept, dict(list(known.items())[-VERDICTS_KEPT:]), counts, repeats)

    async def _pairs(
        self,
        drafts: Sequence[Draft],
        slots: Sequence[int],
        saved_texts: Sequence[str],
        excluded_ids: Container[str],
    ) -> tuple[list[Pair], Rule]:
        """Return the pairs that may be duplicates, with their cosines, and the rule that decides them."""
        if not slots:
            return [], by_words
        by_words_alone = [
            *candidates.pairs_by_words(drafts, slots, saved_texts),
            *candidates.pairs_among(drafts, slots),
        ]
        try:
            neighbours = await self._brain.neighbours([drafts[slot].content for slot in slots])
            counting = [[each for each in found if each.node_id not in excluded_ids] for found in neighbours]
            near = candidates.pairs_by_meaning(drafts, slots, counting)
            pairs = candidates.without_repeats([*near, *by_words_alone])
            if not pairs:
                return [], by_words
            # At least one, since the answer also says which embedding model the cosines are of.
            asked = [pair for pair in pairs if pair.cosine is None] or pairs[:1]
            texts = [(pair.text, pair.other) for pair in asked]
            embedding_model, cosines = await self._brain.compare(texts)
        except BrainUnusable:
            _LOGGER.warning("duplicates are looked for by words alone: the brain is unavailable")
            return by_words_alone, by_words
        if self._rule is None or self._rule[0] != embedding_model:
            self._rule = embedding_model, rule_for(embedding_model, self._threshold, self._own)
        return candidates.with_cosines(pairs, dict(zip(texts, cosines, strict=True))), self._rule[1]

    async def _judge(self, unsure: Sequence[Pair], verdicts: Verdicts) -> dict[str, bool]:
        """Return what the model says of the pairs that it has not been asked about before."""
        by_key = {self._key(pair): pair for pair in unsure}
        new = [key for key in by_key if key not in verdicts][:JUDGED_PAIRS_MAX]
        if not new:
            return {}
        prompt = builders.duplicates_prompt([by_key[key] for key in new])
        try:
            answer = await self._model.ask(self._judge_model, prompt, PairVerdicts)
        except NO_ANSWER as error:
            _LOGGER.warning("no verdict on %d possible duplicates, the cut decides: %s", len(new), error)
            return {}
        said = {verdict.pair: verdict.duplicate for verdict in answer.verdicts}
        return {key: said[place] for place, key in enumerate(new) if place in said}

    def _key(self, pair: Pair) -> str:
        return verdict_key(self._judge_model, pair)


def compared_texts(notes: Sequence[Note], department: str) -> list[str]:
    """Return the saved texts that new notes are compared with by their words, the most telling last.

    Those are the department's, people's own that belong to no department, and what people have settled.
    """
    compared = [note for note in notes if note.department == department or _is_of_all(note)]
    # Where there are too many, the oldest give way; what is settled must never be repeated.
    return [note.content[:CONTENT_MAX] for note in sorted(compared, key=lambda note: note.is_locked)]


def _is_of_all(note: Note) -> bool:
    return note.is_locked or not (note.is_automated or note.department)


def verdict_key(judge_model: str, pair: Pair) -> str:
    """Return a name for what the model is asked about a pair: the same for the same question only."""
    shown = (shortened(text, JUDGED_CHARS) for text in (pair.other, pair.text))
    return hashlib.sha256("\0".join((judge_model, DUPLICATES, *shown)).encode()).hexdigest()[:32]
