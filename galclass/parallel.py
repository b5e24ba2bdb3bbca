"""Work shared out among processes that keep to one thread each, in order."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from galclass.errors import GalclassError

_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def _end_with_parent() -> None:
    """Let this worker end when the process that started it is killed; it would else wait for work for ever."""
    import multiprocessing
    import threading

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def workers(processes: int) -> Iterator:
    """A function like `map` (function, list of one argument each) that works in so many processes, in order.

    Raises
    ------
    GalclassError
        One of the processes was killed.
    """
    if processes == 1:
        yield map
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    before = {name: os.environ.get(name) for name in _ONE_THREAD}
    os.environ.update(_ONE_THREAD)  # read by the libraries of the new processes when they are loaded
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _end_with_parent)
    try:
        yield pool.map
    except BrokenProcessPool as error:
        raise GalclassError("a worker process was killed (no memory left?); give the same command again") from error
    finally:
        pool.shutdown(cancel_futures=True)
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
