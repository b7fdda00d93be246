# SPDX-License-Identifier: BSD-3-Clause
"""Every name that users imported is where it was."""

from __future__ import annotations

import importlib

import pytest

HARNESS = {
    "lsst.pex.harness": "Dataset",
    "lsst.pex.harness.Clipboard": "Clipboard",
    "lsst.pex.harness.Directories": "Directories",
    "lsst.pex.harness.IOStage": "InputStageSerial InputStageParallel OutputStageSerial OutputStageParallel"
    " InputStage OutputStage",
    "lsst.pex.harness.Pipeline": "Pipeline",
    "lsst.pex.harness.Queue": "Queue",
    "lsst.pex.harness.Slice": "Slice",
    "lsst.pex.harness.Stage": "Stage",
    "lsst.pex.harness.SymLinkStage": "SymLinkStageSerial SymLinkStageParallel",
    "lsst.pex.harness.Utils": "createAdditionalData propertySetToDict",
    "lsst.pex.harness.dataset": "Dataset",
    "lsst.pex.harness.run": "addVerbosityOption addAllVerbosityOptions verbosity2threshold launchPipeline"
    " msglev RunSetupException UsageError",
    "lsst.pex.harness.simpleStageTester": "SimpleStageTester create test",
    "lsst.pex.harness.stage": "StageProcessing SerialProcessing ParallelProcessing NoOpSerialProcessing"
    " NoOpParallelProcessing Stage makeStage makeStageFromPolicy",
    "lsst.dps.Clipboard": "Clipboard",
    "lsst.dps.Queue": "Queue",
    "lsst.dps.Stage": "Stage",
}
POLICY = (
    "Policy Dictionary Definition PolicyFile DefaultPolicyFile UrnPolicyFile PolicyString"
    " PolicyStringDestination PAFWriter SupportedFormats NameNotFound TypeError BadNameError DictionaryError"
    " ValidationError ParserError EOFError SyntaxError FormatSyntaxError UnsupportedSyntax"
)
LOGGING = (
    "Log LogRec Rec Prop endr LogRecord Debug BlockTimingLog ScreenLog DualLog Trace FileDestination"
    " getDefaultLog"
)
EVENTS = (
    "EventSystem EventTransmitter EventReceiver EventEnqueuer EventDequeuer Event StatusEvent CommandEvent"
    " LogEvent LocationId EventBroker EventTypes"
)
EXCEPTIONS = (
    "Exception LogicError RuntimeError NotFoundError DomainError InvalidParameterError LengthError"
    " OutOfRangeError RangeError OverflowError UnderflowError MemoryError IoError TypeError TimeoutError"
)


def missing(module: str, names: str) -> list[str]:
    found = importlib.import_module(module)
    return [name for name in names.split() if not hasattr(found, name)]


@pytest.mark.contract("1.1.harness", "1.1.slice")
@pytest.mark.parametrize("module", HARNESS)
def test_a_module_of_the_harness_gives_its_names(module):
    assert missing(module, HARNESS[module]) == []


@pytest.mark.contract(
    "1.1.policy", "1.1.logging", "1.1.base", "1.1.exceptions", "1.1.location", "1.1.events"
)
@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("lsst.pex.policy", POLICY),
        ("lsst.pex.logging", LOGGING),
        ("lsst.daf.base", "PropertySet PropertyList DateTime"),
        ("lsst.pex.exceptions", EXCEPTIONS),
        ("lsst.daf.persistence", "LogicalLocation Persistence StorageList Butler"),
        ("lsst.ctrl.events", EVENTS),
        ("lsst.pex.harness.EventStage", "EventStageSerial"),
    ],
)
def test_a_module_beside_the_harness_gives_its_names(module, names):
    assert missing(module, names) == []


@pytest.mark.contract("2.1.tree")
def test_the_classes_of_the_stage_api_inherit_as_they_did():
    stage = importlib.import_module("lsst.pex.harness.stage")
    for half in ("Serial", "Parallel"):
        base, noop = getattr(stage, f"{half}Processing"), getattr(stage, f"NoOp{half}Processing")
        assert issubclass(base, stage.StageProcessing) and issubclass(noop, base)
    assert not issubclass(stage.SerialProcessing, stage.ParallelProcessing)
    assert not issubclass(stage.Stage, stage.StageProcessing)
    assert stage.Stage.serialClass is stage.NoOpSerialProcessing
    assert stage.Stage.parallelClass is stage.NoOpParallelProcessing
