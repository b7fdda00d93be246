# SPDX-License-Identifier: BSD-3-Clause
"""Reading a result as its receiver would, and telling whether two are equal.

Of arrays the first bytes of every page are read, or all of them; other values are read whole.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Any

PAGE = 4096
WORD = 8
"""How many bytes of every page count."""


def fingerprint(results: Iterable[tuple[int, str, Any]], whole: bool) -> str:
    """A short text that differs when results do. `results` are (rank, key, value) in any order.

    With `whole` every byte of arrays counts, else eight of every page of 4096.
    """
    digest = blake2b(digest_size=12)
    for rank, key, value in sorted(results, key=lambda item: item[:2]):
        digest.update(f"{rank} {key} ".encode())
        _add(digest, value, whole)
    return digest.hexdigest()


def _add(digest: blake2b, value: Any, whole: bool) -> None:
    import numpy as np

    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        _add_array(digest, value, whole)
    elif isinstance(value, np.generic) and not value.dtype.hasobject:
        digest.update(value.dtype.str.encode() + value.tobytes())
    elif isinstance(value, Mapping):
        digest.update(b"mapping")
        for key in sorted(value, key=repr):
            digest.update(repr(key).encode())
            _add(digest, value[key], whole)
    elif isinstance(value, (list, tuple)):
        digest.update(f"{type(value).__name__} {len(value)}".encode())
        for item in value:
            _add(digest, item, whole)
    elif value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        digest.update(f"{type(value).__name__} {value!r}".encode())
    elif isinstance(getattr(value, "array", None), np.ndarray):
        digest.update(type(value).__qualname__.encode())
        _add_array(digest, value.array, whole)
    else:
        # What a pickle says of shared references depends on where the value came from; read once, it doesn't.
        digest.update(pickle.dumps(pickle.loads(pickle.dumps(value, 4)), 4))


def _add_array(digest: blake2b, array: Any, whole: bool) -> None:
    import numpy as np

    digest.update(f"{array.dtype.str} {array.shape}".encode())
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if whole or flat.size <= PAGE:
        digest.update(flat.data)
        return
    pages = flat[: flat.size // PAGE * PAGE].reshape(-1, PAGE)
    digest.update(np.ascontiguousarray(pages[:, :WORD]).data)
    digest.update(flat[-WORD:].tobytes())
