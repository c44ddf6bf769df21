"""A further reader of a ring (a meter, a recorder, a second host), which moves no counter."""

from __future__ import annotations

from bridge.ring import form as ring_form
from bridge.ring.fields import Words, u64
from bridge.ring.form import Audio, RingForm
from bridge.ring.shared_memory import Segment
from bridge.ring.slots import Slots

_BLOCKS_WRITTEN = u64("blocks_written")


class RingListener:
    """Reads every block since it attached, or past ones as well; if it is too slow, it loses blocks and counts them.

    Writes nothing into the segment, so there may be any number of listeners.
    """

    def __init__(self, segment: Segment, words: Words, form: RingForm, past: bool = False) -> None:
        self.form = form
        self.lost_blocks = 0
        self.seek_id = 0  # of the last block read
        self._segment = segment
        self._words = words
        self._slots = Slots(segment, words, form)
        written = int(words.u64[_BLOCKS_WRITTEN])
        self._next = max(0, written - form.capacity_blocks + 1) if past else written

    @classmethod
    def attach(cls, name: str, past: bool = False) -> RingListener:
        """Map a lane's ring; errors as `RingReader.attach`, but the ring may have a reader.

        With `past` it begins with the oldest block that is still there.  [main]
        """
        segment = Segment.attach(name)
        words: Words | None = None
        try:
            words = ring_form.header_words(segment)
            return cls(segment, words, ring_form.read_form(segment, words), past)
        except Exception:
            if words is not None:
                words.release()
            segment.close()
            raise

    def read(self, out: Audio) -> tuple[int, int, int] | None:
        """Copy the next block into `out` [>= block_samples, channels]; None if there is none yet.

        Returns (position_samples, n_samples, plan_revision). A block that was overwritten during the copy
        counts as lost, and the next one is tried.  [any]
        """
        words = self._words
        while True:
            written = int(words.u64[_BLOCKS_WRITTEN])
            words.fence()
            oldest = written - self.form.capacity_blocks + 1  # the slot after the newest may be in progress
            if not oldest - 1 <= self._next <= written:
                self.lost_blocks += max(oldest - self._next, 0)
                self._next = max(oldest, 0)
            if self._next >= written:
                return None
            number = self._next
            self._next += 1
            copied = self._copy(number, out)
            words.fence()
            if copied is not None and int(words.u64[_BLOCKS_WRITTEN]) - number < self.form.capacity_blocks:
                return copied
            self.lost_blocks += 1

    def _copy(self, number: int, out: Audio) -> tuple[int, int, int] | None:
        header = self._slots.header(number)
        if header is None:
            return None
        position_samples, plan_revision, self.seek_id, n_samples = header
        out[:n_samples] = self._slots.audio(number)[:n_samples]
        return position_samples, n_samples, plan_revision

    def close(self) -> None:
        """Unmap. May be called twice.  [any]"""
        self._words.release()
        self._slots.release()
        self._segment.close()
