"""Ctrl-C and SIGTERM of whatever trains: they wait for the end of a step, and are one thing."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def interrupts_wait() -> Iterator[None]:
    """Ctrl-C takes effect at the end of the block: what changes together is saved together."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt


@contextmanager
def sigterm_interrupts(came: list[int], alone: bool = True) -> Iterator[None]:
    """SIGTERM (SLURM, docker stop) does what Ctrl-C does within the block, and is put into `came`. Only of a process that trains
    `alone`: torchrun sends it to all of them, and one that ends its step would wait for others that are gone."""
    if threading.current_thread() is not threading.main_thread() or not alone:
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        if came:  # the first one is at work: a second would cut its checkpoint off
            return
        came.append(number)
        on_ctrl_c = signal.getsignal(signal.SIGINT)
        if not callable(on_ctrl_c):  # ignored, as in a job that a script put into the background
            raise KeyboardInterrupt
        on_ctrl_c(signal.SIGINT, frame)

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
