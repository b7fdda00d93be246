# SPDX-License-Identifier: BSD-3-Clause
"""`validate.py`: holds a policy file against a dictionary file, with the options of 2009."""

from __future__ import annotations

import optparse
import os
import sys

from harness.policy import Dictionary, Policy
from harness.policy.errors import Located
from harness.policy.validation import ValidationError

PROGRAM = "validate.py"
VALID, ANY_ERROR = 0, 2
USAGE = "%prog [-p] policy [-d] dictionary [-l DIR] [-L DIR] [-D defaults] [-v]"
DESCRIPTION = """Resolves the includes of a policy, merges defaults, and validates it against a dictionary.
Exit codes: 0 valid, 2 any error."""


def build_parser() -> optparse.OptionParser:
    """The parser of the command line. Wrong options end the process with code 2."""
    parser = optparse.OptionParser(usage=USAGE, description=DESCRIPTION, prog=PROGRAM)
    parser.add_option("-p", "--policy", metavar="FILE", help="the policy")
    parser.add_option("-d", "--dictionary", metavar="FILE", help="the dictionary")
    parser.add_option(
        "-l", "--load-policy-references", dest="repository", metavar="DIR",
        help="where includes of the policy are looked up (default: beside it)",
    )  # fmt: skip
    parser.add_option(
        "-L", "--load-dictionary-references", dest="dictionary_repository", metavar="DIR",
        help="where files that the dictionary names are looked up (default: beside it)",
    )  # fmt: skip
    parser.add_option(
        "-D", "--defaults", metavar="FILE", help="a policy with defaults (default: those of the dictionary)"
    )
    parser.add_option("-v", "--verbose", action="store_true", help="tell what is done")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Runs one command line; returns the exit code."""
    parser = build_parser()
    options, words = parser.parse_args(argv)
    paths: list[str] = []
    for given in (options.policy, options.dictionary):
        if given is None and not words:
            parser.error("expected a policy and a dictionary")
        paths.append(words.pop(0) if given is None else given)
    if words:
        parser.error(f"expected a policy and a dictionary, and no {words[0]!r}")
    try:
        errors = _validate(paths[0], paths[1], options)
    except (Located, RuntimeError) as error:
        print(f"{PROGRAM}: {error}", file=sys.stderr)
        return ANY_ERROR
    if errors.getParamCount() > 0:
        print(errors.describe(), file=sys.stderr)
        return ANY_ERROR
    if options.verbose:
        print(f"{paths[0]} is valid")
    return VALID


def _validate(path: str, dictionary_path: str, options: optparse.Values) -> ValidationError:
    def tell(text: str) -> None:
        if options.verbose:
            print(text)

    dictionary = Dictionary(dictionary_path)
    repository = options.dictionary_repository or os.path.dirname(dictionary_path)
    tell(f"{dictionary_path}: {dictionary.loadPolicyFiles(repository)} files loaded")
    policy = Policy(path)
    count = policy.loadPolicyFiles(options.repository or os.path.dirname(path))
    tell(f"{path}: {count} files loaded")
    errors = ValidationError("the policy breaks its dictionary")
    defaults: Policy = Policy(options.defaults) if options.defaults is not None else dictionary
    count = policy.mergeDefaults(defaults, False, errors)
    tell(f"{count} defaults merged")
    errors = ValidationError("the policy breaks its dictionary")
    dictionary.validate(policy, errors)
    return errors


if __name__ == "__main__":
    sys.exit(main())
