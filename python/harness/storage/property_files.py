# SPDX-License-Identifier: BSD-3-Clause
"""JsonStorage and PafStorage: property sets, policies and dicts in text files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.exceptions import Exception as LsstException
from harness.policy import PAFWriter, Policy, PolicyString
from harness.policy.property_sets import PolicyProperties, to_property_set
from harness.properties import PropertyList, PropertySet
from harness.properties.json_form import dump_properties, load_properties
from harness.storage.atomic import atomic_file
from harness.storage.interface import ReadRequest
from harness.storage.kinds import wanted_class
from harness.storage.pieces import open_to_read

__all__ = ["JsonStorage", "PafStorage"]


class JsonStorage:
    """Reads and writes property sets, property lists and dicts as JSON, in the form of the events.

    Types, order and comments survive (`harness.properties.json_form`). As a ``dict`` any JSON object can
    be read, as it is.
    """

    def prepare(self) -> None:
        """Nothing takes long."""

    def read(self, path: str, request: ReadRequest) -> Any:
        """The object in a file; see `harness.storage.interface.Storage`."""
        wanted = wanted_class(
            request,
            "JsonStorage",
            ("PropertySet", "PropertyList", "dict"),
            lambda cls: cls in (PropertySet, PropertyList, dict),
        )
        text = _text(path, request)
        try:
            if wanted is dict:
                loaded = json.loads(text)
                if not isinstance(loaded, dict):
                    raise ValueError(f"it holds {type(loaded).__name__}, and a JSON object is wanted")
                return loaded
            properties = load_properties(text)
        except (ValueError, RecursionError, LsstException) as error:
            raise request.error(path, f"it is damaged or no such JSON: {error}") from error
        if wanted is PropertyList and not isinstance(properties, PropertyList):
            raise request.error(path, "it holds a PropertySet, and a PropertyList is wanted")
        return properties if wanted in (PropertySet, PropertyList) else wanted.swigConvert(properties)

    def write(self, path: str, obj: Any) -> None:
        """Write a property set, a property list or a dict; see `harness.storage.interface.Storage`."""
        if isinstance(obj, PropertySet):
            text = dump_properties(obj, indent=1)
        elif isinstance(obj, Mapping):
            if not all(isinstance(name, str) for name in obj):
                raise TypeError("JsonStorage writes dicts whose keys are texts")
            text = json.dumps(dict(obj), indent=1, allow_nan=False)
        else:
            raise _cannot_write("JsonStorage", obj, "PropertySet, PropertyList and dicts of plain values")
        with atomic_file(path) as stream:
            stream.write(f"{text}\n".encode())


class PafStorage:
    """Reads and writes property sets and policies as PAF.

    A PAF file knows bool, int of 32 bits, double and string; what is of another type is refused on writing.
    """

    def prepare(self) -> None:
        """Nothing takes long."""

    def read(self, path: str, request: ReadRequest) -> Any:
        """The object in a file; see `harness.storage.interface.Storage`."""
        wanted = wanted_class(
            request, "PafStorage", ("PropertySet", "Policy"), lambda cls: cls in (PropertySet, Policy)
        )
        text = _text(path, request)
        try:
            policy = Policy(PolicyString(text))
        except LsstException as error:
            raise request.error(path, f"it is damaged or no PAF: {error}") from error
        if wanted is Policy:
            return policy
        properties = to_property_set(policy)
        return properties if wanted is PropertySet else wanted.swigConvert(properties)

    def write(self, path: str, obj: Any) -> None:
        """Write a policy, a property set or a dict; see `harness.storage.interface.Storage`."""
        if isinstance(obj, Policy):
            policy = obj
        elif isinstance(obj, PropertyList) or not isinstance(obj, (PropertySet, Mapping)):
            raise _cannot_write(
                "PafStorage", obj, "Policy, PropertySet and dicts; a PropertyList is for JsonStorage"
            )
        else:
            properties = obj if isinstance(obj, PropertySet) else PropertySet.from_mapping(obj)
            policy = Policy()
            PolicyProperties(policy).combine(properties)
        with PAFWriter() as writer:
            writer.write(policy)
            text = writer.toString()
        with atomic_file(path) as stream:
            stream.write(text.encode())


def _text(path: str, request: ReadRequest) -> str:
    with open_to_read(path, request) as stream:
        content = stream.read()
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise request.error(path, f"it is no UTF-8 text: {error}") from error


def _cannot_write(storage: str, obj: Any, kinds: str) -> TypeError:
    return TypeError(
        f"{storage} cannot write {type(obj).__module__}.{type(obj).__qualname__}; it writes {kinds}"
    )
