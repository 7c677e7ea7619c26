"""Limits of the receiver: how large a request may be, how fast a token may send, how much may wait."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bytes and rates; the defaults suit one machine with a few dozen senders."""

    # OTLP exporters send 512 spans at most; with long texts that is 10 MiB.
    body_bytes: int = 16 * MEBIBYTE  # as it arrives
    inflated_bytes: int = 64 * MEBIBYTE  # after gunzip: a bomb inflates a thousandfold
    span_bytes: int = 1 * MEBIBYTE  # one span or log record with its texts
    # What has arrived and is not durable yet is memory; beyond this a sender waits.
    waiting_bytes: int = 64 * MEBIBYTE
    token_bytes_per_second: int = 128 * MEBIBYTE  # about 60,000 spans with 1 kB of text each
    retry_after_seconds: int = 1


class RateLimiter:
    """A bucket of bytes per token: full at two seconds' worth, refilled all the time."""

    def __init__(self, bytes_per_second: int, clock: Callable[[], float]) -> None:
        self._rate = bytes_per_second
        self._clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}  # level, when

    def wait_for(self, token_id: str, size: int) -> float:
        """0.0 and the bytes are taken, or the seconds after which they would be there and nothing is taken.

        A request larger than the bucket passes when the bucket is full: the size has its own limit.
        """
        now = self._clock()
        level, when = self._buckets.get(token_id, (2.0 * self._rate, now))
        level = min(2.0 * self._rate, level + (now - when) * self._rate)
        needed = min(float(size), 2.0 * self._rate)
        if level < needed:
            self._buckets[token_id] = (level, now)
            return (needed - level) / self._rate
        self._buckets[token_id] = (level - size, now)
        return 0.0
