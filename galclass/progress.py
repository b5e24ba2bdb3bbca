"""Progress of long work, with the time left: a living line on a terminal, a plain one at times in a log."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TextIO, TypeVar

Item = TypeVar("Item")

_SECONDS_ON_TERMINAL = 0.2
#: Between two lines of a log, at least, at most, and as a share of the time gone so far: hours write tens of lines.
_SHORTEST, _LONGEST, _SHARE = 5.0, 300.0, 0.25


def progress(
    items: Iterable[Item],
    total: int,
    what: str,
    stream: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Item]:
    """Pass `items` on, and say now and then how far it is: ``what: 120/2160 (6 %), 0:35 left``.

    A terminal has one line, written anew; a log has a new one after 5 s, and then ever more rarely, at last every five
    minutes.

    Parameters
    ----------
    items : iterable
        What is worked on.
    total : int
        How many there are.
    what : str
        Name of the work, the first word of the line.
    stream : text file
        Where the lines go; standard error by default.
    clock : function
        Seconds of a clock that never goes back.
    """
    stream = sys.stderr if stream is None else stream
    terminal = stream.isatty()
    start = last = clock()
    for done, item in enumerate(items, 1):
        yield item
        now = clock()
        if now - last >= _pause(terminal, now - start) and done < total:
            last = now
            left = span((now - start) / done * (total - done))
            _say(stream, terminal, f"{what}: {done}/{total} ({100 * done // total} %), {left} left")
    if terminal and last > start:
        _say(stream, terminal, f"{what}: {total}/{total} in {span(clock() - start)}\n")


def _pause(terminal: bool, elapsed: float) -> float:
    """Seconds between the last line and the next, so long after the start."""
    return _SECONDS_ON_TERMINAL if terminal else min(max(_SHORTEST, _SHARE * elapsed), _LONGEST)


def _say(stream: TextIO, terminal: bool, line: str) -> None:
    """One line; on a terminal in the place of the one before."""
    stream.write(f"\r\033[K{line}" if terminal else f"{line}\n")
    stream.flush()


def span(seconds: float) -> str:
    """A span of time as 0:35 or 1:02:03."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
