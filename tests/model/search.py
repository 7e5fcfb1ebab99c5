"""Search every interleaving of operator, cluster and adversary, breadth-first.

It begins at each point of undisturbed runs, so that depth counts from the fault that is tried and not from
`kubectl apply`. A counter-example is one line, which --replay takes.

python -m tests.model.search --help
"""

import argparse
import contextlib
import gc
import itertools
import logging
import resource
import sys
import time
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from tests.model import cluster_steps
from tests.model.adversary import Adversary
from tests.model.facts import Book
from tests.model.liveness import Fairness
from tests.model.operator_steps import Label, Operator, Step
from tests.model.passes import Passes
from tests.model.state import CONFIGS, InvariantError, State, fresh

PROGRESS_S: Final = 10.0
STEPS_MAX: Final = 200
"""More than any undisturbed run takes."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a search goes; 0 is no limit."""

    states: int = 0
    depth: int = 0
    seconds: float = 0
    liveness_share: float = 1.0
    """Share of states from which the end is looked for."""


@dataclass(slots=True)
class Found:
    """What a search has found."""

    states: int = 0
    steps: int = 0
    depth: int = 0
    """Up to which every state was expanded."""
    seconds: float = 0
    """Of one core."""
    is_complete: bool = False
    """No state is left that was not expanded."""
    followed: int = 0
    """States from which a fair run was followed to its end."""
    longest: int = 0
    passes: int = 0
    invariant: str = ""
    line: str = ""
    """The counter-example."""
    details: str = ""
    by_depth: list[int] = field(default_factory=list)


class Model:
    """Everything that may happen in a state."""

    def __init__(self, *, has_resync: bool = True, looks_again: bool = True) -> None:
        self.operator = Operator(Passes(Book()), has_resync=has_resync, looks_again=looks_again)
        self.adversary = Adversary(self.operator)
        self.fairness = Fairness(self.operator)

    def steps(self, state: State) -> Iterator[Step]:
        """Yield every step with what follows from it; raises InvariantError."""
        yield from self.operator.steps(state)
        yield from cluster_steps.steps(state)
        yield from self.adversary.steps(state)


def undisturbed(model: Model, config: int) -> list[State]:
    """Return the states of a run with which nothing interferes, one step after the other.

    They end where it does, or where something is wrong.
    """
    states = [fresh(config, 0)]
    with contextlib.suppress(InvariantError):
        while len(states) < STEPS_MAX:
            state = states[-1]
            steps = itertools.chain(model.operator.steps(state), cluster_steps.steps(state))
            after = next((after for _, after in steps), None)
            if after is None:
                break
            states.append(after)
    return states


def starts(model: Model, configs: Iterable[int], faults: int) -> list[State]:
    """Return where a search begins: with faults to spare at each point of undisturbed runs."""
    return [s._replace(faults=faults) for config in configs for s in undisturbed(model, config)]


class Search:
    """One search, breadth-first, so that a counter-example is as short as it can be."""

    def __init__(self, model: Model, limits: Limits, seed: int = 0) -> None:
        self._model, self._limits = model, limits
        self._random = Random(seed)  # noqa: S311 - a sample, not a secret
        self._parents = array("l")
        self._states: list[State] = []
        self._known: dict[State, int] = {}
        self._parts: dict[object, object] = {}
        self.found = Found()

    def run(self, starts: Iterable[State], *, is_loud: bool = False) -> Found:
        """Search until a limit or a counter-example is met."""
        began_s, said_s = time.process_time(), time.monotonic()
        found, limits = self.found, self._limits
        for state in starts:
            self._add(state, -1)
        at, level_end = 0, len(self._states)
        while at < len(self._states) and not self._is_far_enough(began_s):
            if at == level_end:
                found.depth += 1
                found.by_depth.append(len(self._states) - level_end)
                level_end = len(self._states)
                if found.depth == limits.depth:
                    break
            if is_loud and time.monotonic() - said_s > PROGRESS_S:
                said_s = time.monotonic()
                self._say(time.process_time() - began_s, len(self._states) - at)
            if not self._expand(at):
                break
            at += 1
        found.is_complete = at == len(self._states)
        found.states, found.seconds = len(self._states), time.process_time() - began_s
        found.longest, found.passes = self._model.fairness.longest, len(self._model.operator.passes)
        return found

    def _is_far_enough(self, began_s: float) -> bool:
        limits = self._limits
        has_enough = limits.states > 0 and len(self._states) >= limits.states
        return has_enough or (limits.seconds > 0 and time.process_time() - began_s > limits.seconds)

    def _expand(self, at: int) -> bool:
        """Add what follows from a state; return False after a counter-example."""
        state, found = self._states[at], self.found
        steps = self._model.steps(state)
        known, add = self._known, self._add
        try:
            for _, after in steps:
                found.steps += 1
                if after not in known:
                    add(after, at)
        except InvariantError as violation:
            self._fail(violation, [*self._labels(at), "!"])
            return False
        share = self._limits.liveness_share
        if share >= 1 or (share > 0 and self._random.random() < share):
            found.followed += 1
            try:
                self._model.fairness.check(state)
            except InvariantError as violation:
                self._fail(violation, [*self._labels(at), "fair"])
                return False
        return True

    def _add(self, state: State, parent: int) -> None:
        parts = self._parts
        shared = State._make(p if type(p) is int else parts.setdefault(p, p) for p in state)
        self._known[shared] = len(self._states)
        self._states.append(shared)
        self._parents.append(parent)

    def _labels(self, at: int) -> list[str]:
        """Return the steps that lead to a state, from its start."""
        labels: list[str] = []
        while (parent := self._parents[at]) >= 0:
            state = self._states[at]
            label = next(label for label, after in self._model.steps(self._states[parent]) if after == state)
            labels.append(spell(label))
            at = parent
        start = self._states[at]
        run = undisturbed(self._model, start.config)
        place = next(i for i, state in enumerate(run) if state == start._replace(faults=0))
        return [f"config={start.config}", f"faults={start.faults}", f"at={place}", *reversed(labels)]

    def _fail(self, violation: InvariantError, labels: list[str]) -> None:
        self.found.invariant = violation.invariant
        self.found.details = str(violation)
        self.found.line = " ".join(labels)

    def _say(self, seconds: float, waiting: int) -> None:
        memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        count = len(self._states)
        print(
            f"{seconds:6.0f} s  {count:9,} states  depth {self.found.depth:3}  {waiting:9,} to expand  "
            f"{count / max(seconds, 0.1):7,.0f} states/s  {len(self._model.operator.passes):7,} passes  "
            f"{memory_mib} MiB",
            flush=True,
        )


def spell(label: Label) -> str:
    """Return a step's name, without spaces."""
    return ":".join(str(part).replace(" ", "-") for part in label)


def replay(line: str, model: Model | None = None, *, is_loud: bool = True) -> InvariantError | None:
    """Take the steps of a counter-example; return what it violates, None if it violates nothing.

    Raises ValueError where a step is not possible.
    """
    words = line.split()
    fields = dict(w.split("=", 1) for w in words if "=" in w)
    model = model or Model()
    run = undisturbed(model, int(fields.get("config", 0)))
    state = run[int(fields.get("at", 0))]._replace(faults=int(fields.get("faults", 0)))
    try:
        for word in (w for w in words if "=" not in w):
            if word == "fair":
                model.fairness.check(state)
                continue
            if word == "!":
                for _ in model.steps(state):
                    pass
                continue
            steps = {spell(label): after for label, after in _until_violation(model, state)}
            if word not in steps:
                raise ValueError(f"{word} is not possible here; possible: {' '.join(sorted(steps))}")
            if is_loud:
                print(f"{word:24} {_difference(state, steps[word])}")
            state = steps[word]
    except InvariantError as violation:
        return violation
    return None


def _until_violation(model: Model, state: State) -> Iterator[Step]:
    try:
        yield from model.steps(state)
    except InvariantError:
        return


def _difference(before: State, after: State) -> str:
    pairs = zip(State._fields, before, after, strict=True)
    return "  ".join(f"{name}={new}" for name, old, new in pairs if old != new)


def main(arguments: list[str] | None = None) -> int:
    """Search by the command line; return 0 if nothing was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.model.search", description=__doc__)
    parser.add_argument("--states", type=int, default=1_000_000, help="stop after so many states (0: never)")
    parser.add_argument("--depth", type=int, default=0, help="stop after so many steps (0: never)")
    parser.add_argument(
        "--seconds", type=float, default=0, help="stop after so much time of one core (0: never)"
    )
    parser.add_argument("--faults", type=int, default=2, help="how often the adversary may act in one life")
    parser.add_argument("--configs", default="0,1,2", help=f"runs, of 0 to {len(CONFIGS) - 1}")
    parser.add_argument("--share", type=float, default=1.0, help="share of states followed to their end")
    parser.add_argument("--seed", type=int, default=0, help="chooses the sample of --share")
    parser.add_argument("--replay", metavar="LINE", help="take the steps of a counter-example")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    # Millions of tuples, none of them in a cycle: looking through them takes a fifth of the time.
    gc.set_threshold(200_000, 50, 1_000)
    if options.replay is not None:
        violation = replay(options.replay)
        print(violation or "nothing is violated")
        return int(violation is not None)
    model = Model()
    begins = starts(model, map(int, options.configs.split(",")), options.faults)
    limits = Limits(options.states, options.depth, options.seconds, options.share)
    found = Search(model, limits, options.seed).run(begins, is_loud=True)
    print(
        f"{found.states:,} states, {found.steps:,} steps, every interleaving to depth {found.depth}"
        f"{' (complete)' if found.is_complete else ''}, {found.followed:,} followed to their end "
        f"(at most {found.longest} rounds), {found.passes:,} passes, {found.seconds:.0f} s"
    )
    if found.line:
        print(f"VIOLATED {found.details}\nreplay with: {Path(sys.argv[0]).name} --replay '{found.line}'")
    return int(bool(found.line))


if __name__ == "__main__":
    sys.exit(main())
