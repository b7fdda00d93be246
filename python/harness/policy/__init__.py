# SPDX-License-Identifier: BSD-3-Clause
"""Policies: hierarchical, typed configuration, usually written in PAF files (lsst.pex.policy)."""

from harness._core import (
    DefaultPolicyFile,
    Definition,
    Dictionary,
    PAFWriter,
    Policy,
    PolicyFile,
    PolicySource,
    PolicyString,
    PolicyStringDestination,
    UrnPolicyFile,
)
from harness.policy.errors import (
    BadNameError,
    DictionaryError,
    DictionaryWarning,
    EOFError,
    FormatSyntaxError,
    InvalidParameterError,
    IoError,
    LogicError,
    NameNotFound,
    NotFoundError,
    ParserError,
    RuntimeError,
    SyntaxError,
    TypeError,
    UnsupportedSyntax,
)
from harness.policy.formats import SupportedFormats
from harness.policy.validation import ValidationError

__all__ = [
    "BadNameError",
    "DefaultPolicyFile",
    "Definition",
    "Dictionary",
    "DictionaryError",
    "DictionaryWarning",
    "EOFError",
    "FormatSyntaxError",
    "InvalidParameterError",
    "IoError",
    "LogicError",
    "NameNotFound",
    "NotFoundError",
    "PAFWriter",
    "ParserError",
    "Policy",
    "PolicyFile",
    "PolicySource",
    "PolicyString",
    "PolicyStringDestination",
    "RuntimeError",
    "SupportedFormats",
    "SyntaxError",
    "TypeError",
    "UnsupportedSyntax",
    "UrnPolicyFile",
    "ValidationError",
]
