# SPDX-License-Identifier: BSD-3-Clause
"""Post-mortems: of a stage that raised, by its process; of one whose worker died, by the master.

Nothing here raises: what cannot be written is logged.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from harness.errors import SliceDied
from harness.ledger.inputs import Received, save_inputs
from harness.ledger.post_mortem import PostMortem, PostMortems, describe_clipboard, describe_item
from harness.ledger.visit import DIED, RAISED
from harness.runtime.halves.failure import describe_failure, format_failure, message_of

if TYPE_CHECKING:
    from harness.clipboard import Clipboard
    from harness.runtime.halves.half import Half
    from harness.runtime.halves.master import MasterHalf
    from harness.runtime.halves.slice import SliceHalf


def write_after_raise(
    half: Half[Any], number: int, method: str, error: BaseException, clipboard: Clipboard | None
) -> None:
    """Writes the post-mortem of stage `number`, which has just raised in this process."""
    if half.post_mortems is None or isinstance(error, SliceDied):
        # The master has seen the death, and writes about it.
        return
    stage = half.stages[number - 1]
    inputs, complaint = half.keep_inputs_of_failure()
    document = PostMortem.of_now(
        cause=RAISED,
        kind=type(error).__qualname__,
        message=message_of(error),
        visit=half.visit,
        rank=half.rank,
        stage=number,
        stage_name=stage.getName(),
        method=method,
        traceback=format_failure(error),
        policy=_policy_text(stage.policy),
        clipboard=_described(clipboard),
        inputs=inputs,
    )
    for text in (complaint, half.post_mortems.write(document)):
        if text:
            half.log.warn(text)


def write_after_death(
    master: MasterHalf, rank: int, number: int, died: SliceDied, stacks: str = ""
) -> None:
    """Writes the post-mortem of a slice whose worker died in stage `number` of this visit.

    Its clipboard died with it; what it had received is kept from what the master and its neighbours have
    published. `stacks` are the worker's, where they are known.
    """
    if master.post_mortems is None or rank < 0:
        return
    inputs, complaint = "", ""
    items, lacking = _received_by(master, rank, number)
    if master.config.keep_inputs != "none":
        path = master.post_mortems.inputs_file(master.visit, rank)
        inputs = str(path)
        complaint = save_inputs(path, items)
    known = 1 <= number <= len(master.config.stages)
    stage = master.config.stages[number - 1] if known else None
    document = PostMortem.of_now(
        cause=DIED,
        kind=died.cause,
        message=str(died),
        visit=master.visit,
        rank=rank,
        stage=number if known else 0,
        stage_name=stage.name if stage is not None else "",
        method="process",
        traceback=stacks,
        policy=_policy_text(stage.policy if stage is not None else None),
        clipboard=None,
        received=[{"stage": item.stage, **describe_item(item.key, item.value)} for item in items],
        inputs=inputs if inputs and not complaint else None,
        pid=died.pid or os.getpid(),
    )
    for said in (lacking, complaint, master.post_mortems.write(document)):
        if said:
            master.log.warn(said)


def keep_received(half: SliceHalf, post_mortems: PostMortems) -> tuple[str | None, str]:
    """Saves what a slice has received in this visit. Returns the file, or why there is none."""
    path = post_mortems.inputs_file(half.visit, half.rank)
    complaint = save_inputs(path, _received(half))
    return (None, complaint) if complaint else (str(path), "")


def _received(half: SliceHalf):
    for number, manifest in half.received:
        for key, value in half.transport.rebuild(manifest):
            yield Received(number, key, value)
    for number, items in half.received_across:
        for key, pending in items:
            yield Received(number, key, pending.materialise())


def _received_by(master: MasterHalf, rank: int, last: int) -> tuple[list[Received], str]:
    """What had come to a slice up to stage `last`, by the order of its stages; and why some of it is lacking.

    What neighbours have offered before a stage is held until the visit ends, as is what the master published.
    """
    items: list[Received] = []
    try:
        for number, manifest in master.published:
            items += (Received(number, key, value) for key, value in master.transport.rebuild(manifest))
        if master.config.topology is not None:
            for number in sorted(one for one in master.config.exchanges if one <= last):
                for other in master.config.topology.receives_from(rank):
                    manifest = master.run.across_manifest(other, number)
                    if manifest[1]:
                        found = master.transport.rebuild(manifest)
                        items += (Received(number, f"{key}-{other}", value) for key, value in found)
    except Exception as error:
        return items, f"not all that slice {rank} had received is known: {describe_failure(error)}"
    return items, ""


def _policy_text(policy: Any) -> str | None:
    return policy.toString() if policy is not None else None


def _described(clipboard: Clipboard | None) -> list[dict[str, Any]] | None:
    try:
        return describe_clipboard(clipboard)
    except Exception as error:
        # Stage code may have put anything there.
        return [{"key": "?", "type": f"unknown: {type(error).__name__}: {error}"}]
