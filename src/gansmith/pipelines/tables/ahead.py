"""Work on several blocks at once, in their order: threads of one core each, no further ahead than there are threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

import torch

Job = TypeVar("Job")
Done = TypeVar("Done")


def ahead(work: Callable[[Job], Done], jobs: Iterable[Job]) -> Iterator[Done]:
    """`work` of each job, in the order of the jobs.

    As many at once as torch has threads: one operation on two cores takes longer than half of its time on one, and much
    of a block's work is no operation of torch's at all. What `work` computes does not depend on the number of threads.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # of each thread; those of the pool take it over when they start
    waiting: deque[Future[Done]] = deque()
    pool = ThreadPoolExecutor(threads)
    try:
        for job in jobs:
            waiting.append(pool.submit(work, job))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for left in waiting:
            left.cancel()
        pool.shutdown()
        torch.set_num_threads(threads)
