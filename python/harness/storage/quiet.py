# SPDX-License-Identifier: BSD-3-Clause
"""Warnings filtered for a while, but never by a thread that works beside stage code.

Python keeps one list of filters for all threads of a process, and threads that change it at the same time may
leave a filter behind for good.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["beside_stages", "filtered_warnings"]

_thread = threading.local()


@contextmanager
def beside_stages() -> Iterator[None]:
    """For the thread that enters it, `filtered_warnings` does nothing."""
    _thread.beside = True
    try:
        yield
    finally:
        _thread.beside = False


@contextmanager
def filtered_warnings(category: type[Warning], error_text: str = "") -> Iterator[None]:
    """Warnings of a category are ignored inside the block; those that begin with `error_text` are raised."""
    if getattr(_thread, "beside", False):
        yield
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        if error_text:
            warnings.filterwarnings("error", error_text)
        yield
