# SPDX-License-Identifier: BSD-3-Clause
"""The pipeline policies that are measured: of one stage, or the user's with another number of slices."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from harness.bench.order import Order
from harness.errors import ConfigError

if TYPE_CHECKING:
    from harness.policy import Policy

SERIAL_MODULE, PARALLEL_MODULE = "benched_serial", "benched_parallel"
HALF = "Half"
MODULE_TEXT = """
import json
from harness.bench.halves import {maker}
from harness.bench.order import Order
{half} = {maker}(Order(**{{**json.loads({order!r}), "images": tuple({images!r})}}))
"""


def write_pipeline(order: Order) -> Path:
    """Writes the policy of an order into its folder, with the modules that it names.

    Raises:
        ConfigError: the policy file is missing, or its text is wrong.
        harness.policy.ParserError: the policy file is no policy.
    """
    from harness.policy import to_json

    folder = Path(order.folder)
    text = json.dumps(asdict(order))
    for module, maker in ((SERIAL_MODULE, "serial_half"), (PARALLEL_MODULE, "parallel_half")):
        filled = MODULE_TEXT.format(maker=maker, half=HALF, order=text, images=list(order.images))
        (folder / f"{module}.py").write_text(filled)
    policy = _one_stage(order) if order.stage is not None else _whole(order)
    path = folder / "bench.json"
    path.write_text(to_json(policy))
    return path


def _fed_stage(name: str) -> Policy:
    from harness.policy import Policy

    block = Policy()
    block.set("name", name)
    block.set("serialClass", f"{SERIAL_MODULE}.{HALF}")
    block.set("parallelClass", f"{PARALLEL_MODULE}.{HALF}")
    return block


def _one_stage(order: Order) -> Policy:
    from harness.policy import Policy

    policy = Policy()
    policy.set("nSlices", order.slices)
    # The first death is told of.
    policy.set("sliceRetries", 0)
    policy.set("onSliceFailure", "run")
    policy.set("keepInputs", "none")
    assert order.stage is not None
    block = _fed_stage(order.stage.rpartition(".")[2])
    stage_policy = read_stage_policy(order.policy)
    if stage_policy is not None:
        block.set("stagePolicy", stage_policy)
    policy.add("appStage", block)
    return policy


def read_stage_policy(path: str | None) -> Policy | None:
    """The policy of a stage, with its includes. Raises as `write_pipeline`."""
    from harness.policy import Policy
    from harness.runtime.configuration.policy_file import require_readable

    if path is None:
        return None
    require_readable(Path(path), "stage policy")
    return Policy.createPolicy(path, True)


def _whole(order: Order) -> Policy:
    from harness.policy import Policy
    from harness.runtime.configuration.policy_check import config_error
    from harness.runtime.configuration.policy_file import read_policy_text

    assert order.policy is not None
    text = read_policy_text(Path(order.policy))
    if text.problems:
        raise config_error(text.problems)
    policy = Policy(text.policy, True)
    policy.set("nSlices", order.slices)
    if policy.exists("executionMode"):
        policy.remove("executionMode")
    if not order.images:
        return policy
    if not policy.isPolicy("appStage"):
        raise ConfigError(f"pipeline policy {order.policy}: it has no stages")
    blocks = policy.getPolicyArray("appStage")
    # Before the first stage of a pipeline slices have nothing to exchange, whatever it says.
    blocks[0].set("shareData", False)
    policy.set("appStage", _fed_stage("bench images"))
    for block in blocks:
        policy.add("appStage", block)
    return policy
