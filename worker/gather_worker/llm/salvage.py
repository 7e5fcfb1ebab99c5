"""The typed answer in what a model wrote: every complete, valid entry of it, and what is wrong with the rest.

An entry (a note, a verdict) counts if the model closed it and it has what its type asks for. Nothing is
closed, completed or put together here: each text is one stretch of what the model wrote as that field's
value. Its answer goes before what it thought, a later answer before an earlier one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final, Generic, TypeVar

from pydantic import BaseModel

from gather_worker.errors import AnswerInvalid
from gather_worker.llm.chat_completion import Completion
from gather_worker.llm.reading.entries import Entry, Group, Problem, Shape, groups_of, unequal
from gather_worker.llm.reading.loose_json import LooseReader
from gather_worker.prompt_files import PROBLEMS, lines, problem_words, words
from gather_worker.schemas import Answer, Batch

PROBLEMS_SHOWN: Final = 5
NUMBERS_SHOWN: Final = 10

AnswerT = TypeVar("AnswerT", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Salvaged(Generic[AnswerT]):
    """An answer, how many entries of it were dropped, and why; empty words if none was."""

    answer: AnswerT
    dropped: int
    problems: str
    is_plain: bool
    """It was the answer that was asked for, in the place where it belongs."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What one text holds: the entries to keep, and all of which they are."""

    kept: tuple[BaseModel, ...] = ()
    entries: tuple[Entry, ...] = ()
    is_plain: bool = False


def read_answer(completion: Completion, answer: type[AnswerT]) -> AnswerT:
    """Return the typed answer; raises as `salvage` does."""
    return salvage(completion, answer).answer


def salvage(
    completion: Completion, answer: type[AnswerT], kept: Sequence[BaseModel] = ()
) -> Salvaged[AnswerT]:
    """Return the typed answer with what was left out of it.

    `kept` are entries of an earlier answer to the same question; they come first.

    Raises:
        AnswerInvalid: fewer entries than are needed, in words that help the model; `found` are those that can
            be used, the kept ones included.
        ModelTransient, ModelRejected: the same, and something went wrong besides.
    """
    is_batch = issubclass(answer, Batch)
    shape = Shape(answer.entry, answer.list_name) if issubclass(answer, Batch) else Shape(answer)
    least, most = (answer.least, answer.most) if issubclass(answer, Batch) else (1, 1)
    reading = _best(completion, shape, least)
    found = [*kept, *(unequal(reading.kept, kept) if kept else reading.kept)]
    problems = _problems(reading.entries, shape)
    if len(found) < least:
        text = next(filter(str.strip, (completion.text, *completion.others, *completion.thoughts)), "")
        complaint = _complaint(completion, problems, f"{len(found)}" if is_batch else "", least)
        raise completion.failure or AnswerInvalid(complaint, text, tuple(found))
    taken = found[:most] if is_batch else found[-1:]
    typed: Any = answer.model_validate({shape.list_name: taken}) if is_batch else taken[0]
    lost = sum(entry.value is None for entry in reading.entries)
    dropped = lost + (len(found) - most if is_batch and len(found) > most else 0)
    return Salvaged(typed, dropped, problems, is_plain=reading.is_plain and not dropped)


def _best(completion: Completion, shape: Shape, least: int) -> _Reading:
    """Return what the first place with enough entries holds, else what all of them hold together.

    Some models make a call of each entry. What a model thought counts only where nothing else holds an entry.
    """
    told, thought = list[_Reading](), list[_Reading]()
    answers_in, thoughts_in = (completion.text, *completion.others), completion.thoughts
    reader = LooseReader(sum(map(len, (*answers_in, *thoughts_in))), shape.names)
    for text in answers_in:
        answers, thoughts = groups_of(text, shape, reader)
        told.append(_reading(answers, least, is_cut_off=completion.is_cut_off))
        thought += _last(thoughts, least, is_cut_off=completion.is_cut_off)
        if len(told[-1].kept) >= least:
            is_usual = completion.is_usual and len(told) == 1
            return told[-1] if is_usual else replace(told[-1], is_plain=False)
    for text in thoughts_in:
        drafts, before = groups_of(text, shape, reader)
        thought += _last([*before, drafts], least, is_cut_off=completion.is_cut_off)
    if any(reading.kept for reading in told):
        return _together(told)
    tried = [*told, *thought]
    return replace(max(tried, key=lambda each: (len(each.kept), len(each.entries))), is_plain=False)


def _together(readings: Sequence[_Reading]) -> _Reading:
    """Return the entries of all places, each once, with what is wrong in those that hold new ones."""
    kept, entries = list[BaseModel](), list[Entry]()
    for reading in readings:
        if new := unequal(reading.kept, kept):
            kept += new
            entries += reading.entries
    return _Reading(tuple(kept), tuple(entries))


def _last(thoughts: Sequence[Sequence[Group]], least: int, *, is_cut_off: bool) -> list[_Reading]:
    """Return what the last stretch of thoughts with an entry holds: a draft is not mixed with a later one."""
    read = (_reading(groups, least, is_cut_off=is_cut_off) for groups in reversed(thoughts) if groups)
    return list(islice((reading for reading in read if reading.kept), 1))


def _reading(groups: Sequence[Group], least: int, *, is_cut_off: bool) -> _Reading:
    """Return the last answer that is enough by itself, with what follows it; all groups if none is.

    A list that ends a text which was cut off was closed by somebody else: its last entry may be half of one.
    """
    if is_cut_off and groups and groups[-1].is_end and not groups[-1].is_single:
        last = Entry(None, Problem("torn"))
        groups = [*groups[:-1], Group((*groups[-1].entries[:-1], last), is_single=False)]
    enough = [place for place, group in enumerate(groups) if len(group.valid) >= least]
    chosen = groups[enough[-1] if enough else 0 :]
    kept, entries = list[BaseModel](), list[Entry]()
    for group in chosen:
        new = unequal(group.valid, kept) if kept else group.valid
        kept += new
        entries += group.entries if new or not enough else ()
    return _Reading(tuple(kept), tuple(entries), is_plain=bool(enough) and chosen[0].is_plain)


# --- words


def request_again(answer: type[BaseModel], error: AnswerInvalid) -> str:
    """Return what is asked after an answer that cannot be used; of a list, only for what it lacks."""
    prompt = answer.prompt if issubclass(answer, Answer) else PROBLEMS
    count = len(error.found)
    if not (count and issubclass(answer, Batch)):
        return words(prompt, "again", problem=error)
    least, most = answer.least - count, answer.most - count
    return words(prompt, "more", problem=error, found=count, least=least, most=most)


def _problems(entries: Sequence[Entry], shape: Shape) -> str:
    """Return what is wrong with which entries; empty if nothing is."""
    numbers = dict[str, list[str]]()
    for number, entry in enumerate(entries, 1):
        if problem := entry.problem:
            said = problem_words(problem.kind, field=problem.field, limit=f"{problem.limit:,}")
            numbers.setdefault(said, []).append(str(number))
    if not shape.list_name:
        return next(reversed(numbers), "")
    name = lines(PROBLEMS, "entries")[shape.list_name]
    shown = [
        problem_words("place", entry=name, number=", ".join(places[:NUMBERS_SHOWN]), problem=said)
        for said, places in islice(numbers.items(), PROBLEMS_SHOWN)
    ]
    return "; ".join(shown)


def _complaint(completion: Completion, problems: str, found: str, least: int) -> str:
    """Return what was wrong with an answer that cannot be used."""
    ended = "refused" if completion.is_filtered else "cut_off" if completion.is_cut_off else ""
    few = problem_words("few", found=found, least=least) if found and (problems or found != "0") else ""
    said = [few, problems or ("" if few or ended else problem_words("none"))]
    return "; ".join(filter(None, [*said, problem_words(ended) if ended else ""]))
