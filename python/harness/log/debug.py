# SPDX-License-Identifier: BSD-3-Clause
"""Debug and Trace: logging by verbosity, the negative of importance."""

from typing import Any, ClassVar

import harness.exceptions as pex
from harness.log.default import get_default_log
from harness.log.log import Log

__all__ = ["Debug", "Trace"]

PARAMETERS = ("parent", "name", "verbosity")
"""Of a Debug log, by their places; the first may be left out."""


class Debug(Log):
    """``Debug(name, verbosity=None)``, a child of the default log, or ``Debug(parent, name,
    verbosity=None)``.

    Verbosity v sets the threshold -v; None takes ``Debug.default_max_debug``, and inherits if that is
    None too.
    """

    default_max_debug: ClassVar[int | None] = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        order = PARAMETERS if arguments and isinstance(arguments[0], Log) else PARAMETERS[1:]
        given = dict(zip(order, arguments, strict=False))
        parent, name, verbosity = ({**given, **named}.get(one) for one in PARAMETERS)
        if (
            len(arguments) > len(order)
            or not named.keys() <= set(PARAMETERS) - given.keys()
            or not isinstance(name, str)
            or not isinstance(parent, Log | None)
        ):
            saw = [*map(repr, arguments), *(f"{one}={value!r}" for one, value in named.items())]
            raise pex.TypeError(
                f"cannot make a Debug log from ({', '.join(saw)}): expected a name and a verbosity, perhaps"
                " behind a parent"
            )
        if verbosity is None:
            verbosity = Debug.default_max_debug
        parent = get_default_log() if parent is None else parent
        super().__init__(parent, name, None if verbosity is None else -verbosity)

    def debug(self, verbosity: int, message: Any) -> None:
        """Send at importance -verbosity."""
        self.log(-verbosity, message)


class Trace:
    """``Trace(name, verbosity, message)`` sends to a descendant of the default log if it passes.

    Further arguments are formatted into the message with ``%``, only if it is sent.
    """

    def __init__(self, name: str, verbosity: int, message: str, *values: Any) -> None:
        root = get_default_log()
        if -verbosity >= Trace._threshold(root, name):
            Log(root, name).log(-verbosity, message % values if values else message)

    @staticmethod
    def _threshold(root: Log, name: str) -> int:
        return root.getThreshold() if name in ("", ".") else root.getThresholdFor(name)

    @staticmethod
    def setVerbosity(name: str, verbosity: int | None = None) -> None:
        """Set the threshold -verbosity for a name, ``""`` or ``"."`` being the root; None: inherit."""
        threshold = Log.INHERIT_THRESHOLD if verbosity is None else -verbosity
        root = get_default_log()
        if name in ("", "."):
            root.setThreshold(threshold)
        else:
            root.setThresholdFor(name, threshold)

    @staticmethod
    def getVerbosity(name: str) -> int:
        """The verbosity in force for a name: the negative of its threshold."""
        return -Trace._threshold(get_default_log(), name)
