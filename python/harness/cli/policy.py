# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness policy`: shows, converts and describes policy files."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.output import complain, write, write_exactly
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.policy import Policy

FORMATS = ("paf", "json", "toml")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand with its own."""
    parser = subparsers.add_parser("policy", help="show, convert or describe a policy file")
    commands = parser.add_subparsers(dest="policy_command", required=True, metavar="COMMAND")
    _add_show(commands)
    _add_convert(commands)
    describe = commands.add_parser(
        "describe",
        help="print a dictionary as a Markdown table",
        description="Prints the parameters that a dictionary defines, with those of nested dictionaries.",
    )
    describe.add_argument("file", help="dictionary file")
    _add_output(describe)
    describe.set_defaults(handler=lambda arguments: _guarded(arguments, _describe))


def _add_show(commands: argparse._SubParsersAction) -> None:
    show = commands.add_parser(
        "show",
        help="print a policy with the place each value came from",
        description="Prints a policy with its includes and defaults, and behind each value its file and line,"
        " or the line of the dictionary that has the default. Pipeline policies have the defaults of a"
        " pipeline; others those of --dictionary.",
    )
    show.add_argument("file", help="policy file")
    which = show.add_mutually_exclusive_group()
    which.add_argument("--dictionary", metavar="FILE", help="merge the defaults of this dictionary")
    which.add_argument("--no-defaults", action="store_true", help="only what the file and its includes say")
    show.set_defaults(handler=lambda arguments: _guarded(arguments, _show))


def _add_convert(commands: argparse._SubParsersAction) -> None:
    convert = commands.add_parser(
        "convert",
        help="write a policy in another format",
        description="Writes a policy as PAF, JSON or TOML. Includes stay includes unless --resolve is given.",
    )
    convert.add_argument("file", help="policy file")
    convert.add_argument("--to", choices=FORMATS, required=True, help="the format to write")
    convert.add_argument("--resolve", action="store_true", help="put the contents of includes in their place")
    _add_output(convert)
    convert.set_defaults(handler=lambda arguments: _guarded(arguments, _convert))


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-o", "--output", metavar="OUT", help="file to write (default: standard output)")


def _guarded(arguments: argparse.Namespace, command: Callable[[argparse.Namespace], str]) -> int:
    """Runs a subcommand; what is wrong with its files is said, and gives exit code 2."""
    from harness.exceptions import Exception as LsstException

    output = getattr(arguments, "output", None)
    try:
        text = command(arguments)
        if output is None:
            (write_exactly if command is _convert else write)(text)
        else:
            Path(output).write_text(text, encoding="utf-8", errors="surrogateescape")
    except (ConfigError, LsstException) as error:
        complain(f"pex-harness policy {arguments.policy_command}", str(error))
        return 2
    except OSError as error:
        where = output or "standard output"
        complain(f"pex-harness policy {arguments.policy_command}", f"writing {where}: {error.strerror}")
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _read(path: Path, *, resolve: bool) -> Policy:
    from harness.policy import Policy
    from harness.runtime.configuration.policy_file import require_readable

    require_readable(path, "policy")
    policy = Policy(str(path))
    if resolve:
        policy.loadPolicyFiles(os.path.dirname(path))
    return policy


def _show(arguments: argparse.Namespace) -> str:
    from harness.policy import Policy
    from harness.policy.listing import listing

    policy = _read(Path(arguments.file), resolve=True)
    merged = Policy(policy, True)
    if arguments.dictionary is not None:
        from harness.check.dictionaries import open_dictionary

        merged.mergeDefaults(Policy(False, open_dictionary(Path(arguments.dictionary))), False)
    elif not arguments.no_defaults:
        _complete(merged)
    return listing(merged, policy)


def _complete(merged: Policy) -> None:
    """Completes a pipeline policy; any other stays as it is."""
    from harness.runtime.configuration.dictionary import merge_pipeline_defaults

    part = merged.getPolicy("execute") if merged.isPolicy("execute") else merged
    if part.isPolicy("appStage"):
        merge_pipeline_defaults(part)


def _convert(arguments: argparse.Namespace) -> str:
    from harness.policy import PAFWriter, to_json, to_toml

    policy = _read(Path(arguments.file), resolve=arguments.resolve)
    if arguments.to == "json":
        return to_json(policy)
    if arguments.to == "toml":
        return to_toml(policy)
    writer = PAFWriter()
    writer.write(policy, True)
    return writer.toString()


def _describe(arguments: argparse.Namespace) -> str:
    import warnings

    from harness.check.dictionaries import open_dictionary
    from harness.policy import DictionaryWarning
    from harness.policy.describe import describe

    path = Path(arguments.file)
    with warnings.catch_warnings():
        # `check` is the command that judges a dictionary.
        warnings.simplefilter("ignore", DictionaryWarning)
        return describe(open_dictionary(path), path.stem)

