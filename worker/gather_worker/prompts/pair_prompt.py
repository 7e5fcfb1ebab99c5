"""The request for verdicts on pairs of notes, apart from the other prompts: what shows where two texts differ
is needed only once notes have been written.
"""

from collections.abc import Sequence

from gather_worker.duplicates.candidates import JUDGED_CHARS, Pair
from gather_worker.duplicates.excerpts import excerpts
from gather_worker.prompt_files import DUPLICATES
from gather_worker.prompts import Prompt, build_prompt


def duplicates_prompt(pairs: Sequence[Pair]) -> Prompt:
    """Return the request for verdicts on pairs, numbered from 0."""
    shown = [excerpts(pair.other, pair.text, JUDGED_CHARS) for pair in pairs]
    data = {
        "pairs": [
            {"pair": place, "first": first, "second": second} for place, (first, second) in enumerate(shown)
        ]
    }
    return build_prompt(DUPLICATES, data)
