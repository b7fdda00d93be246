# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness status`: how a run stands, while it goes on or afterwards."""

from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path
from typing import Any

from harness.cli.output import complain, write
from harness.cli.table import align, counted, megabytes

EXIT_CODES = {"starting": 0, "running": 0, "complete": 0, "stopped": 0, "partial": 3, "failed": 4}
NO_LEDGER = 2
CHECK_FAILED = 5
MOST_SHOWN = 10


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "status",
        help="how a run stands, live or finished",
        description="Tells how the run of a run directory stands: state, visit, stage times, outcomes,"
        " failures, outputs. Exit codes: 0 running, complete or stopped as asked, 2 there is no ledger that"
        " can be read, 3 something failed in some visit, 4 the run failed or was killed, 5 --check found"
        " contradictions.",
    )
    parser.add_argument("rundir", type=Path, help="run directory")
    parser.add_argument("--json", action="store_true", help="everything, as JSON")
    parser.add_argument(
        "--check", action="store_true", help="also look for contradictions in the ledger; reads all of it"
    )
    parser.set_defaults(handler=handle)


def handle(arguments: argparse.Namespace) -> int:
    """Prints the status."""
    from harness.errors import LedgerError
    from harness.ledger.checking import check
    from harness.ledger.reading import read_status

    starting = _starting(arguments.rundir)
    try:
        status = read_status(arguments.rundir)
        problems = check(arguments.rundir) if arguments.check else None
    except LedgerError as error:
        if not starting:
            complain("pex-harness status", str(error))
            return NO_LEDGER
        # Nothing is written before its stages are imported.
        status, problems = {"run_dir": str(arguments.rundir), "runs": []}, None
    if starting and not any(run["pid"] == starting for run in status["runs"]):
        status.update(state="starting", pid=starting, reason=None)
    if problems is not None:
        status["contradictions"] = problems
    if arguments.json:
        write(json.dumps(status, indent=1) + "\n")
    else:
        write("\n".join(format_status(status)) + "\n")
    return CHECK_FAILED if problems else EXIT_CODES[status["state"]]


def _starting(run_dir: Path) -> int:
    """The process that a run goes on in; 0: there is none. Until the ledger names it, it starts."""
    from harness.runtime.shutdown.control import NoMaster, find

    try:
        return find(run_dir).pid
    except NoMaster:
        return 0


def format_status(status: dict[str, Any]) -> list[str]:
    """The status as lines for people."""
    lines = [_headline(status)]
    if not status["runs"]:
        return lines
    lines += _places(status)
    lines += ["", *_stage_table(status["stages"])]
    lines += _failures(status["failures"])
    lines += _outputs(status["outputs"])
    if "contradictions" in status:
        found = status["contradictions"]
        lines += ["", f"ledger: {len(found)} contradictions" if found else "ledger: no contradictions"]
        lines += [f"  {text}" for text in found]
    return lines


def _headline(status: dict[str, Any]) -> str:
    reason = f": {status['reason']}" if status.get("reason") else ""
    if status["state"] == "starting":
        return f"{status['run_dir']}: starting in process {status['pid']}"
    if status["state"] != "running":
        return f"{status['run_dir']}: {status['state']}{reason}"
    now = status["now"]
    where = "".join(
        f", visit {one['visit']}, stage {one['stage']} ({one['name']})" for one in status["in_flight"]
    )
    if now and not where:
        where = f", after visit {now['visit']}"
    return f"{status['run_dir']}: running in process {status['pid']}{where}"


def _places(status: dict[str, Any]) -> list[str]:
    run = status["runs"][-1]
    began = datetime.datetime.fromtimestamp(run["started"]).strftime("%Y-%m-%d %H:%M:%S")
    resumed = len([one for one in status["runs"] if one["series"] == run["series"]]) - 1
    again = f", resumed {resumed} times" if resumed > 1 else ", resumed once" if resumed else ""
    lines = [
        f"run {run['run_id']} of {run['pipeline']}, {run['slices']} slices on {run['workers']} workers,"
        f" {run['host']}, since {began}{again}",
        f"visits: {_counts(status['visits'], ('complete', 'partial', 'failed', 'running'))}",
        f"stages: {_outcomes(status['outcomes'])}",
    ]
    for visit in status["incomplete"][:MOST_SHOWN]:
        if visit["state"] != "running":
            lines.append(f"  visit {visit['visit']} is {visit['state']}: {visit['reason']}")
    return lines


def _counts(counts: dict[str, int], order: tuple[str, ...]) -> str:
    return ", ".join(f"{counts[name]} {name}" for name in order if counts.get(name)) or "none"


def _outcomes(counts: dict[str, int]) -> str:
    retries = counts.get("retries", 0)
    again = f", {counted(retries, 'retry', 'retries')}" if retries else ""
    return _counts(counts, ("done", "failed", "skipped")) + again


def _stage_table(rows: list[dict[str, Any]]) -> list[str]:
    if not rows:
        return []
    cells = [
        (row["name"], row["step"], str(row["runs"]), f"{row['mean_s'] * 1e3:.3f}",
         f"{row['max_s'] * 1e3:.3f}", f"{row['total_s']:.3f}")
        for row in rows
    ]
    return align(("stage", "step", "runs", "mean ms", "max ms", "total s"), cells, left=2)


def _failures(failures: list[dict[str, Any]]) -> list[str]:
    lines = [""] if failures else []
    for one in failures[-MOST_SHOWN:]:
        who = "master" if one["rank"] < 0 else f"slice {one['rank']}"
        again = ", run again" if one["retried"] else ""
        where = f"visit {one['visit']}, {who}, stage {one['name']}"
        said = f": {one['message']}" if one["message"] else ""
        lines.append(f"{where}: {one['cause']}: {one['kind']}{said}{again}")
        if one["post_mortem"]:
            lines.append(f"  {one['post_mortem']}")
    return lines


def _outputs(outputs: dict[str, Any]) -> list[str]:
    if not outputs["count"]:
        return []
    lines = ["", f"outputs: {outputs['count']} files, {megabytes(outputs['bytes'])} MB; the last:"]
    return lines + [f"  {one['path']}" for one in outputs["last"][-3:]]
