# SPDX-License-Identifier: BSD-3-Clause
"""Debug and Trace: verbosity, default log, inheritance."""

import io

import pytest
from harness.exceptions import TypeError as PexTypeError
from harness.log import Debug, Log, Trace, set_default_log


@pytest.fixture(autouse=True)
def default():
    log = Log()
    stream = io.StringIO()
    log.addDestination(stream)
    set_default_log(log)
    yield log, stream
    set_default_log(None)
    Debug.default_max_debug = None


def test_debug_is_a_child_of_the_default_log(default):
    log, stream = default
    debug = Debug("afw.image", 3)
    assert isinstance(debug, Log) and debug.getName() == "afw.image"
    assert debug.getThreshold() == log.getThresholdFor("afw.image") == -3
    debug.debug(3, "shown")
    debug.debug(4, "hidden")
    debug.log(Log.WARN, "as any log")
    assert stream.getvalue() == "   afw.image DEBUG: shown\nafw.image WARNING: as any log\n"


def test_debug_below_another_log():
    root = Log()
    debug = Debug(Log(root, "a"), "b", 5)
    assert debug.getName() == "a.b" and root.getThresholdFor("a.b") == -5
    assert Debug(root, "c", verbosity=2).getThreshold() == -2


@pytest.mark.contract("13.4.debug")
def test_verbosity_defaults_to_the_class_attribute_and_then_inherits(default):
    log, _ = default
    log.setThreshold(-1)
    assert Debug("a").getThreshold() == -1
    Debug.default_max_debug = 7
    assert Debug("b").getThreshold() == -7
    assert Debug(Log(), "c").getThreshold() == -7
    assert Debug("d", 2).getThreshold() == -2


@pytest.mark.contract("13.4.debug")
def test_the_parameters_of_debug_have_names(default):
    log, _ = default
    root = Log()
    named = Debug(parent=Log(root, "a"), name="b", verbosity=5)
    assert named.getName() == "a.b" and root.getThresholdFor("a.b") == -5
    assert Debug(root, name="c", verbosity=2).root is root
    assert Debug("d", parent=root).root is root
    of_default = Debug(name="e", verbosity=4)
    assert of_default.root is log and log.getThresholdFor("e") == -4


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), {}), ((3,), {}), (("a", 1, 2), {}), ((Log(),), {}), (("a", 1), {"verbosity": 2}),
        (("a",), {"name": "b"}), ((Log(), "a"), {"parent": Log()}), ((Log(), "a", 1, 2), {}),
        ((), {"parent": "a", "name": "b"}), (("a",), {"threshold": 1}),
    ],
)  # fmt: skip
def test_wrong_arguments_are_a_type_error(arguments, named):
    with pytest.raises(PexTypeError, match="expected a name and a verbosity"):
        Debug(*arguments, **named)


@pytest.mark.contract("13.4.debug")
def test_trace_sends_to_the_descendant_if_it_passes(default):
    _, stream = default
    Trace.setVerbosity("afw", 2)
    Trace("afw.math", 2, "shown")
    Trace("afw.math", 3, "hidden")
    Trace("afw.math", 1, "%d of %s", 3, "five")
    Trace("afw.math", 1, "100%")
    Trace("other", 1, "hidden")
    assert stream.getvalue() == (
        "  afw.math DEBUG: shown\n afw.math DEBUG: 3 of five\n afw.math DEBUG: 100%\n"
    )


def test_trace_does_not_format_what_is_not_sent():
    Trace("a", 1, "%d", "not a number")


@pytest.mark.contract("13.4.debug")
@pytest.mark.parametrize("root_name", ["", "."])
def test_trace_verbosity_is_the_negative_threshold(default, root_name):
    log, stream = default
    Trace.setVerbosity(root_name, 4)
    assert log.getThreshold() == -4
    assert Trace.getVerbosity(root_name) == Trace.getVerbosity("any.name") == 4
    Trace.setVerbosity("any", 1)
    assert Trace.getVerbosity("any.name") == 1
    Trace.setVerbosity("any")
    assert Trace.getVerbosity("any.name") == 4
    Trace.setVerbosity(root_name)
    assert Trace.getVerbosity(root_name) == 0 and log.getThreshold() == Log.INFO
