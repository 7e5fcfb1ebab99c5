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
from gather_contracts.text import content_hash
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
from gather_worker.duplicates.excerpts import excerpts
from gather_worker.duplicates.rules import by_words, rule_for
from gather_worker.duplicates.word_overlap import copy_key
from gather_worker.errors import NO_ANSWER, BrainUnusable
from gather_worker.llm.gateway import ModelGateway
from gather_worker.metrics import metered
from gather_worker.prompt_files import DUPLICATES
from gather_worker.prompts import prompt_version
from gather_worker.prompts.pair_prompt import duplicates_prompt
from gather_worker.schemas import Draft, PairVerdicts
from gather_worker.services.brain import Brain
from gather_worker.services.verdict_cache import VerdictCache

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
    """Of the unsure pairs, those that it had been asked about before, as checkpoint or Redis know."""


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
        cache: VerdictCache | None = None,
    ) -> None:
        self._brain = brain
        self._model = model
        self._judge_model = judge_model
        self._threshold = threshold
        self._own = own
        self._examples = examples
        self._cache = cache
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
        findings = candidates.find_copies(drafts, map(copy_key, saved))
        slots = candidates.open_slots(len(drafts), findings)
        compared = [*compared_texts(notes, department), *self._examples]
        pairs, rule = await self._pairs(drafts, slots, compared, excluded_ids)
        unsure = candidates.decide(findings, pairs, rule)
        asked = {self._key(pair): pair for pair, _ in unsure}
        remembered = await self._remembered(list(asked), verdicts)
        said = await self._judge({key: pair for key, pair in asked.items() if key not in remembered})
        known = {**verdicts, **remembered, **said}
        for pair, opinion in unsure:
            verdict = known.get(self._key(pair))
            is_duplicate = opinion.is_duplicate if verdict is None else verdict
            if is_duplicate:
                findings.add(pair, DecidedBy.RULE if verdict is None else DecidedBy.MODEL)
        kept = candidates.survivors(len(drafts), findings)
        counts = Counts(
            drafts=len(drafts),
            copies=len(drafts) - len(slots),
            near=len(slots) - len(kept),
            unsure_pairs=len(unsure),
            judged_pairs=len(said),
            remembered_pairs=len(remembered),
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

    async def _remembered(self, keys: Sequence[str], verdicts: Verdicts) -> dict[str, bool]:
        """Return what the model has said before: what the checkpoint knows, the rest as Redis does."""
        known = {key: verdicts[key] for key in keys if key in verdicts}
        missing = [key for key in keys if key not in known]
        return known if self._cache is None else known | await self._cache.get(missing)

    async def _judge(self, new: Mapping[str, Pair]) -> dict[str, bool]:
        """Return what the model says of the pairs, which it has not been asked about before; keep it."""
        keys = list(new)[:JUDGED_PAIRS_MAX]
        if not keys:
            return {}
        prompt = duplicates_prompt([new[key] for key in keys])
        try:
            answer = await self._model.ask(self._judge_model, prompt, PairVerdicts)
        except NO_ANSWER as error:
            _LOGGER.warning(
                "no verdict on %d possible duplicates: the cut decides, and notes that differ in a number, a "
                "name, a negation or who does what stay: %s",
                len(keys), error,
            )  # fmt: skip
            return {}
        by_place = {verdict.pair: verdict.duplicate for verdict in answer.verdicts}
        said = {key: by_place[place] for place, key in enumerate(keys) if place in by_place}
        if self._cache is not None:
            await self._cache.put(said)
        return said

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
    """Return a name for what the model is asked about a pair: the same for the same question only.

    The texts are in it whole, besides what is shown of them.
    """
    shown = excerpts(pair.other, pair.text, JUDGED_CHARS)
    whole = content_hash(pair.other), content_hash(pair.text)
    parts = (judge_model, prompt_version(DUPLICATES), *whole, *shown)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]
