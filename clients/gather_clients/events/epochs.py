"""Epochs of an event log: which of a log's pasts leads to its present. Pure.

An epoch is a line of blocks, the newest last. A block is 8 random hexadecimal digits and, in 8 more, the
offset of the first event that bears it. The append script adds a block whenever the log may have gone back:
the events before it are those that the log then held, whatever else had been sent under the epoch before.
"""

from typing import Final

BLOCK_DIGITS: Final = 16
"""Of one block; half of them are its offset."""
EPOCH_MAX_DIGITS: Final = 4 * BLOCK_DIGITS
"""The oldest blocks go first; who comes back with one of them reloads."""


def leads_to(epoch: str, offset: int, later: str) -> bool:
    """Return whether a log with epoch `later` begins with what a reader has up to `offset` of `epoch`."""
    if epoch == later:
        return True
    blocks, own = _blocks(later), _blocks(epoch)
    # A reader may know the epoch of a log's end from its greeting, and not have come so far.
    begun = [block for block in own if _first_offset(block) <= offset] or own[:1]
    if not begun or begun[-1] not in blocks:
        return False
    after = blocks[blocks.index(begun[-1]) + 1 :]
    return not after or offset < _first_offset(after[0])


def _blocks(epoch: str) -> list[str]:
    if len(epoch) % BLOCK_DIGITS:
        return []  # of somebody else
    return [epoch[start : start + BLOCK_DIGITS] for start in range(0, len(epoch), BLOCK_DIGITS)]


def _first_offset(block: str) -> int:
    try:
        return int(block[BLOCK_DIGITS // 2 :], 16)
    except ValueError:
        return 0
