# SPDX-License-Identifier: BSD-3-Clause
"""Verbosity names, options of both kinds of parsers, the launcher's log."""

import argparse
import optparse

import harness.exceptions as pex
import pytest
from harness.log import set_default_log
from harness.log.verbosity import (
    RunSetupException,
    UsageError,
    addAllVerbosityOptions,
    addVerbosityOption,
    createLog,
    verbosity2threshold,
)


@pytest.mark.contract("13.7.names")
@pytest.mark.parametrize(
    "level, threshold",
    [
        ("silent", 30), ("quiet", 10), ("info", 0), ("trace", -1), ("verb1", -1), ("verb2", -2),
        ("verb3", -3), ("debug", -10), ("DEBUG", -10), ("Verb3", -3), (3, -3), (-10, 10), (0, 0),
        ("7", -7), ("-7", 7), ("+7", -7), (" 2 ", -2),
    ],
)  # fmt: skip
def test_names_and_integers(level, threshold):
    assert verbosity2threshold(level) == verbosity2threshold(level, 99) == threshold


@pytest.mark.contract("13.7.names")
@pytest.mark.parametrize("level", [None, "policy", "none", "None"])
def test_these_mean_the_default(level):
    assert verbosity2threshold(level) is None
    assert verbosity2threshold(level, -1) == -1


@pytest.mark.contract("13.7.names")
@pytest.mark.parametrize("level", ["loud", "", "1.5", 1.5, True, ["info"], "1_0", "\u0663", "--3", "+ 3"])
def test_anything_else_is_a_usage_error(level):
    with pytest.raises(UsageError, match="unknown verbosity .*: expected an integer or one of silent"):
        verbosity2threshold(level)


@pytest.mark.contract("13.7.helpers")
def test_error_tree():
    assert UsageError.__bases__ == (RunSetupException,)
    assert RunSetupException.__bases__ == (pex.Exception,)


def parse(parser, words):
    if isinstance(parser, optparse.OptionParser):
        return parser.parse_args(words)[0]
    return parser.parse_args(words)


@pytest.mark.contract("13.7.options")
@pytest.mark.parametrize("make", [optparse.OptionParser, argparse.ArgumentParser])
@pytest.mark.parametrize(
    "words, value",
    [
        ([], None), (["-L", "verb2"], "verb2"), (["--log-verbosity", "5"], "5"), (["-d"], "debug"),
        (["--debug"], "debug"), (["-v"], "verb3"), (["--verbose"], "verb3"), (["-q"], "quiet"),
        (["--quiet"], "quiet"), (["-s"], "silent"), (["--silent"], "silent"),
        (["-d", "-L", "info"], "info"), (["-L", "info", "-q"], "quiet"),
    ],
)  # fmt: skip
def test_all_options_store_in_one_place(make, words, value):
    parser = make()
    addAllVerbosityOptions(parser)
    assert parse(parser, words).verbosity == value


@pytest.mark.contract("13.7.options")
@pytest.mark.parametrize("make", [optparse.OptionParser, argparse.ArgumentParser])
def test_letter_and_destination_can_be_chosen(make):
    parser = make()
    addVerbosityOption(parser, "V", "level")
    assert parse(parser, ["-V", "debug"]).level == "debug"


@pytest.mark.contract("13.7.helpers")
def test_create_log_is_a_child_of_the_default_log():
    try:
        assert createLog().getName() == "harness.run.launchPipeline"
    finally:
        set_default_log(None)
