"""Runs one task over every picture of a listing, in parallel and in order, in a memory that does not grow with them."""

from __future__ import annotations

import os
import queue
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeAlias

from ..errors import DataError
from .listing import Listing, shown
from .worker import Task, Worker, WorkerLost

CHUNK = 16  # pictures that travel together
INLINE = 128  # so few are done sooner than worker processes start
PATIENCE = 120.0  # seconds for one chunk

Chunks: TypeAlias = Iterator[tuple[Sequence[int], list[Any]]]
"""Rows of the listing, and the task's answer for each."""


@contextmanager
def at_work(listing: Listing, task: Task, workers: int | None, patience: float = PATIENCE) -> Iterator[Chunks]:
    """Chunks of answers in order, made here or by worker processes.

    Args:
        task: takes encoded pictures and answers for each; it travels to the processes by pickle.
        workers: processes; None is one for each core, and none for few pictures; 0 works here.
        patience: seconds without an answer after which a process counts as hung.

    Raises:
        DataError: while the chunks are read, where a picture kills the process that decodes it, twice.
    """
    chunks = [range(i, min(i + CHUNK, len(listing))) for i in range(0, len(listing), CHUNK)]
    count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    count = min(len(chunks), count if workers is None else workers)
    if count == 0 or (workers is None and len(listing) < INLINE):
        yield ((rows, task(listing.read(rows))) for rows in chunks)
        return
    crew = [Worker(task, patience) for _ in range(count)]
    try:
        with ThreadPoolExecutor(count) as threads:
            pending: deque[tuple[Sequence[int], Future[list[Any]]]] = deque()
            try:
                yield _in_order(listing, chunks, crew, threads, pending)
            finally:
                for _, future in pending:
                    future.cancel()
    finally:
        for worker in crew:
            worker.close()


def _in_order(
    listing: Listing,
    chunks: Sequence[Sequence[int]],
    crew: Sequence[Worker],
    threads: ThreadPoolExecutor,
    pending: deque[tuple[Sequence[int], Future[list[Any]]]],
) -> Chunks:
    idle: queue.SimpleQueue[Worker] = queue.SimpleQueue()
    for worker in crew:
        idle.put(worker)

    def work(rows: Sequence[int]) -> list[Any]:
        worker = idle.get()
        try:
            return _patiently(worker, listing, rows)
        finally:
            idle.put(worker)

    for rows in chunks:
        pending.append((rows, threads.submit(work, rows)))
        if len(pending) > 4 * len(crew):
            done, future = pending.popleft()
            yield done, future.result()
    while pending:
        done, future = pending.popleft()
        yield done, future.result()


def _patiently(worker: Worker, listing: Listing, rows: Sequence[int]) -> list[Any]:
    """The worker's answer; if it is lost, that of a new one, asked picture by picture so that a culprit is named."""
    blobs = listing.read(rows)
    try:
        return worker(blobs)
    except WorkerLost:
        worker.restart()
    results: list[Any] = []
    for row, blob in zip(rows, blobs, strict=True):
        try:
            results += worker([blob])
        except WorkerLost:
            name = shown(listing.names[row])
            raise DataError(
                f"the process that decodes pictures died or hung twice, the second time at {name} in {listing.place}. "
                "Remove that picture if it is to blame; else look for a lack of memory."
            ) from None
    return results
