"""What waits for one client: bounded in events and bytes, so that a slow client harms only itself."""

import asyncio
from collections import deque
from dataclasses import dataclass

from gather_bridge.errors import SubscriberTooSlow
from gather_bridge.live.replay import Position


@dataclass(frozen=True, slots=True)
class Frame:
    """A text to send and the place in the log that the client has reached with it."""

    text: str
    position: Position


class Mailbox:
    """One writer, the hub, which never waits; one reader, the client's session."""

    def __init__(self, max_frames: int, max_bytes: int) -> None:
        self._frames: deque[Frame] = deque()
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._bytes = 0
        self._is_over = False
        self._filled = asyncio.Event()
        self._eased = asyncio.Event()

    def put(self, frame: Frame) -> None:
        """Add a frame; if that is too much, drop them all, and `get` raises SubscriberTooSlow."""
        if self._is_over:
            return
        self._frames.append(frame)
        self._bytes += len(frame.text)
        if len(self._frames) > self._max_frames or self._bytes > self._max_bytes:
            self._is_over = True
            self._frames.clear()
            self._bytes = 0
            self._eased.set()
        self._filled.set()

    @property
    def is_crowded(self) -> bool:
        """Return whether more than half of what may wait is waiting."""
        return len(self._frames) > self._max_frames // 2 or self._bytes > self._max_bytes // 2

    async def eased(self) -> None:
        """Return once it is not crowded any more."""
        while self.is_crowded:
            self._eased.clear()
            await self._eased.wait()

    async def get(self, timeout_s: float) -> Frame | None:
        """Return the next frame, or None after `timeout_s`; raises SubscriberTooSlow."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._filled.wait()
        except TimeoutError:
            return None
        if self._is_over:
            raise SubscriberTooSlow
        frame = self._frames.popleft()
        self._bytes -= len(frame.text)
        if not self._frames:
            self._filled.clear()
        if not self.is_crowded:
            self._eased.set()
        return frame
