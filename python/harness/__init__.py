# SPDX-License-Identifier: BSD-3-Clause
"""Pipeline harness: DC3b stage classes over a compiled shared-memory core."""

try:
    from harness._core import __version__
except ImportError as error:
    raise ImportError(
        "the compiled core harness._core cannot be loaded"
        f" ({error}); build and install the package with 'pip install .' in its source tree,"
        " and do not import it from the source tree itself"
    ) from error

from harness.arrays import asarray, empty, full, zeros
from harness.births import shared_arrays
from harness.current import current_visit
from harness.outputs import record_output

__all__ = [
    "__version__", "asarray", "current_visit", "empty", "full", "record_output", "shared_arrays", "zeros",
]
