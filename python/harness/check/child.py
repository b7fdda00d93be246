# SPDX-License-Identifier: BSD-3-Clause
"""The checking process: imports stage classes and lets them judge their policies."""

from __future__ import annotations

import faulthandler
import os
import signal
import traceback
import warnings
from pathlib import Path
from typing import Any

from harness.check.items import judge_items
from harness.check.jobs import ONE_CLASS, PARALLEL, SERIAL, Job, encode, problem_to_json
from harness.check.judging import judge_by_dictionary, judge_by_setup
from harness.check.places import block_of, name_problem
from harness.policy.problems import Problem
from harness.runtime.configuration.policy_file import PolicyText, read_policy_text

HERE = str(Path(__file__).resolve().parents[1])
ITEMS = "harness.iostage"
"""Whose stages read and write files by location templates."""
LOCATING = ("importlib", "<frozen", "<string>", os.path.join(HERE, "stage"), os.path.join(HERE, "check"))


def main(order: dict[str, Any], answer_fd: int) -> None:
    """Does the jobs of an order, and answers with one line per phase and per job."""
    faulthandler.register(signal.SIGUSR1, all_threads=False)
    warnings.simplefilter("ignore")
    text = read_policy_text(Path(order["policy"]))
    _prepare(Path(order["policy"]))
    for values in order["jobs"]:
        found = _run(text, Job(**values), answer_fd)
        _answer(answer_fd, problems=[problem_to_json(problem) for problem in found])


def _answer(fd: int, **message: Any) -> None:
    line = memoryview(encode(**message))
    while line:
        line = line[os.write(fd, line) :]


def _prepare(path: Path) -> None:
    """Gives stages the silent log and the location map that `setup()` may look at."""
    from harness.errors import ConfigError
    from harness.log import Log, set_default_log
    from harness.runtime.configuration.config import load_config
    from harness.runtime.configuration.places import set_location_map

    set_default_log(Log())
    try:
        config = load_config(path)
    except ConfigError:
        # Reported by the parent process; without a usable `dir` the map stays empty.
        return
    set_location_map(config, "check")


def _run(text: PolicyText, job: Job, fd: int) -> list[Problem]:
    from harness.dc3a import find_half
    from harness.stage import ParallelProcessing, SerialProcessing
    from harness.stage.class_lookup import ClassLookupError, WrongClassError

    block = block_of(text, job)
    name = block.getString(job.key).strip()
    _answer(fd, phase=f"importing {name}")
    try:
        bases = {SERIAL: SerialProcessing, PARALLEL: ParallelProcessing}
        cls = find_half(name, bases.get(job.key, SerialProcessing), one_class=job.key == ONE_CLASS)
    except (ClassLookupError, WrongClassError) as error:
        # Of a module that failed to import, the line is shown in place of the traceback.
        line = _relevant_line(error.__cause__)
        hint = error.hint if not line else ""
        return [name_problem(text, job, error.problem, expected=error.expected, seen=line, hint=hint)]
    # What a module's code may raise besides: SystemExit, and BaseExceptions of its own.
    except BaseException as error:
        message = f"importing {name} raised {type(error).__name__}: {error}"
        return [name_problem(text, job, message, seen=_relevant_line(error))]
    if job.key == PARALLEL and _does_nothing(cls):
        message = f"{name} has no process(), and would fail in every visit"
        return [name_problem(text, job, message, expected="def process(self, clipboard) in the class")]
    if not job.judge:
        return []
    found = []
    if any(base.__module__.startswith(ITEMS) for base in cls.__mro__):
        _answer(fd, phase=f"importing the classes that {name} makes")
        found = judge_items(block, job)
    declared = getattr(cls, "policy_dictionary", None)
    if declared is not None:
        return found + judge_by_dictionary(block, job, declared)
    if not job.setup:
        return found
    _answer(fd, phase=f"setup() of {name}")
    return found + judge_by_setup(text, block, job, cls, _relevant_line)


def _does_nothing(cls: Any) -> bool:
    from harness.stage import ParallelProcessing

    methods = ("process", "applyProcess")
    return all(getattr(cls, name, None) is getattr(ParallelProcessing, name) for name in methods)


def _relevant_line(error: BaseException | None) -> str:
    """The innermost line of a traceback that is not of the harness or the import system."""
    if error is None:
        return ""
    if isinstance(error, SyntaxError) and error.filename:
        return f'File "{error.filename}", line {error.lineno}: {(error.text or "").strip()}'
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if not any(part in frame.filename for part in LOCATING):
            return f'File "{frame.filename}", line {frame.lineno}, in {frame.name}: {frame.line}'
    return ""
