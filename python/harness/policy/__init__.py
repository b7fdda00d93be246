# SPDX-License-Identifier: BSD-3-Clause
"""Policies: hierarchical, typed configuration, written in PAF, JSON or TOML files (lsst.pex.policy)."""

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
    FormatSyntaxError,
    NameNotFound,
    ParserError,
    UnsupportedSyntax,
)
from harness.policy.errors import EOFError as EOFError
from harness.policy.errors import InvalidParameterError as InvalidParameterError
from harness.policy.errors import IoError as IoError
from harness.policy.errors import LogicError as LogicError
from harness.policy.errors import NotFoundError as NotFoundError
from harness.policy.errors import RuntimeError as RuntimeError
from harness.policy.errors import SyntaxError as SyntaxError
from harness.policy.errors import TypeError as TypeError
from harness.policy.foreign.writers import to_json, to_toml
from harness.policy.formats import SupportedFormats
from harness.policy.validation import ValidationError

# Names of builtins and of harness.exceptions are left out: a star import must not narrow what `except` means.
__all__ = [
    "BadNameError",
    "DefaultPolicyFile",
    "Definition",
    "Dictionary",
    "DictionaryError",
    "DictionaryWarning",
    "FormatSyntaxError",
    "NameNotFound",
    "PAFWriter",
    "ParserError",
    "Policy",
    "PolicyFile",
    "PolicySource",
    "PolicyString",
    "PolicyStringDestination",
    "SupportedFormats",
    "UnsupportedSyntax",
    "UrnPolicyFile",
    "ValidationError",
    "to_json",
    "to_toml",
]
