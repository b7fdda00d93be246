# SPDX-License-Identifier: BSD-3-Clause
"""The exception tree of lsst.pex.exceptions, with its pre-2014 names as aliases.

Several classes share their name with a builtin, because that is what stage authors import. Inside
this module a bare name always means the class defined here; every builtin is written
``builtins.<Name>``. Classes with a builtin among their bases are caught by ``except`` clauses that
name either.
"""

import builtins
from typing import Any

__all__ = [
    "DomainError",
    "DomainErrorException",
    "Exception",
    "InvalidParameterError",
    "InvalidParameterException",
    "IoError",
    "IoErrorException",
    "LengthError",
    "LengthErrorException",
    "LogicError",
    "LogicErrorException",
    "LsstCppException",
    "LsstException",
    "MemoryError",
    "MemoryException",
    "NotFoundError",
    "NotFoundException",
    "OutOfRangeError",
    "OutOfRangeException",
    "OverflowError",
    "OverflowErrorException",
    "RangeError",
    "RangeErrorException",
    "RuntimeError",
    "RuntimeErrorException",
    "TimeoutError",
    "TimeoutException",
    "TypeError",
    "TypeErrorException",
    "UnderflowError",
    "UnderflowErrorException",
]


class Exception(builtins.Exception):
    """Root of the tree; carries a message like any Python exception."""

    @property
    def cpp(self) -> Any:
        """This exception itself: DC3b code hands ``err.cpp`` on where the exception is wanted."""
        return self

    def what(self) -> str:
        """The message."""
        return str(self)


class LogicError(Exception):
    """The program asked for something that makes no sense."""


class DomainError(LogicError):
    """An argument lies outside the domain of the operation."""


class InvalidParameterError(LogicError):
    """An argument is not acceptable."""


class LengthError(LogicError):
    """A length is not acceptable."""


class OutOfRangeError(LogicError):
    """An index or key lies outside the container."""


class RuntimeError(Exception, builtins.RuntimeError):
    """A failure that shows only while the program runs."""


class RangeError(RuntimeError):
    """A result cannot be represented in the wanted range."""


class OverflowError(RuntimeError):
    """A result is too large."""


class UnderflowError(RuntimeError):
    """A result is too small."""


class MemoryError(RuntimeError):
    """Memory is missing or was misused."""


class IoError(RuntimeError, builtins.OSError):
    """Input or output failed; takes a message, or errno, text and file name as OSError does."""

    # Without this, BaseException's initialiser comes first in the method resolution order and
    # errno and filename stay empty.
    def __init__(self, *args: Any) -> None:
        builtins.OSError.__init__(self, *args)


class TypeError(RuntimeError, builtins.TypeError):
    """A value has the wrong type."""


class TimeoutError(RuntimeError):
    """Something did not happen in time."""


class NotFoundError(Exception, builtins.LookupError):
    """Something asked for by name does not exist."""


LsstException = Exception
LsstCppException = Exception
LogicErrorException = LogicError
DomainErrorException = DomainError
InvalidParameterException = InvalidParameterError
LengthErrorException = LengthError
OutOfRangeException = OutOfRangeError
RuntimeErrorException = RuntimeError
RangeErrorException = RangeError
OverflowErrorException = OverflowError
UnderflowErrorException = UnderflowError
MemoryException = MemoryError
IoErrorException = IoError
TypeErrorException = TypeError
TimeoutException = TimeoutError
NotFoundException = NotFoundError
