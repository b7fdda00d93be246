# SPDX-License-Identifier: BSD-3-Clause
"""Where a nursery or worker that was started by exec begins: it adopts the run, then lives as a fork does."""

from __future__ import annotations

import functools
import json
import os
import socket
import sys
import traceback
from typing import Any, NoReturn

from harness import _core
from harness.log import set_default_log
from harness.log.foreign import ForeignRecords, follow_levels
from harness.runtime.configuration.places import set_location_map
from harness.runtime.configuration.schedule import Halves
from harness.runtime.logs.log_drain import LogDrain
from harness.runtime.processes.classes import import_parallel_classes
from harness.runtime.processes.inheritance import Inheritance, read_inheritance, set_levels
from harness.runtime.processes.main_classes import unpack_main_classes
from harness.runtime.processes.nursery import make_fit, nursery_main, send_message
from harness.runtime.processes.signals import leave_signals_to_master
from harness.runtime.processes.strangers import ImportWatch
from harness.runtime.processes.worker import EXIT_BROKEN, RunContext, worker_main


def main(arguments: list[str]) -> NoReturn:
    """Lives as the order, JSON in the first argument, says. The others are for people who list processes."""
    order: dict[str, Any] = json.loads(arguments[0])
    descriptors: dict[str, int] = order["descriptors"]
    # A master that has ended since then ends this process here.
    _core.die_with_pipe(descriptors["life"])
    for descriptor in descriptors.values():
        os.set_inheritable(descriptor, False)
    if order["who"] == "nursery":
        _be_nursery(descriptors)
    _be_worker(order, descriptors)


def _be_nursery(descriptors: dict[str, int]) -> NoReturn:
    connection = socket.socket(fileno=descriptors["connection"])
    try:
        context, main_classes = _adopt(descriptors)
    except BaseException as error:
        message = f"a fresh nursery could not be set up: {type(error).__name__}: {error}"
        send_message(connection, ("failed", message, traceback.format_exc()))
        os._exit(EXIT_BROKEN)

    def import_stages() -> tuple[list[str], Halves]:
        watch = ImportWatch()
        unpack_main_classes(main_classes)
        found = watch.look("what stages of __main__ refer to")
        more, declared = import_parallel_classes(context.config)
        return found + more, declared

    nursery_main(context, connection, import_stages)


def _be_worker(order: dict[str, Any], descriptors: dict[str, int]) -> NoReturn:
    try:
        leave_signals_to_master()
        context, main_classes = _adopt(descriptors)
        make_fit(context.config)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(EXIT_BROKEN)

    @functools.cache
    def import_stages() -> None:
        unpack_main_classes(main_classes)
        import_parallel_classes(context.config)

    worker_main(context._replace(import_stages=import_stages), order["worker"], order["incarnation"])


def _adopt(descriptors: dict[str, int]) -> tuple[RunContext, bytes | None]:
    """What a fork has by itself: the run, its logs, and what the master has set for the whole process.

    The classes of the master's `__main__` are left packed: what they refer to is imported with them.
    """
    given = read_inheritance(descriptors["inheritance"])
    config, logs = given.config, given.logs
    run = _core.Run.adopt(
        descriptors["control"],
        descriptors["pixels"],
        config.n_slices,
        config.n_workers,
        len(config.stages),
        sorted(config.exchanges),
        config.visits_in_flight,
    )
    drain = LogDrain(run, logs, config.n_workers, event_fd=descriptors["wake"])
    foreign = ForeignRecords(run.first_at)
    _set_process(given, foreign)
    context = RunContext(
        run=run,
        config=config,
        run_id=given.run_id,
        logs=logs,
        master_pid=given.master_pid,
        life_read_fd=descriptors["life"],
        run_dir=given.run_dir,
        post_mortems=given.post_mortems,
        drain=drain,
        foreign=foreign,
        last_words=given.last_words,
    )
    return context, given.main_classes


def _set_process(given: Inheritance, foreign: ForeignRecords) -> None:
    set_levels(given.levels)
    # Until a slice has its own log: what modules tell when they are imported.
    log = given.logs._replace(truncate=False).open_pipeline()
    set_default_log(log.root)
    follow_levels(log.root)
    foreign.install()
    set_location_map(given.config, given.run_id)
    given.config.events.use_broker(given.config.event_broker)
