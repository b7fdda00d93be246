# SPDX-License-Identifier: BSD-3-Clause
"""`pex-harness demo`: simulates a night of CCD images, reduces it, and checks the result against truth."""

from __future__ import annotations

import argparse
import dataclasses
import json
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.arguments import WRONG_USAGE, at_least

if TYPE_CHECKING:
    from harness.examples.ccd_night.layout import NightLayout
    from harness.examples.ccd_night.night import NightPlan

CHECK_FAILED = 5
SMALLEST_SIDE = 256
SMALLEST_AREA = 200_000
STARS_PER_AMPLIFIER = 40
MARKER = "night.json"


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Adds the subcommand."""
    parser = subparsers.add_parser(
        "demo",
        help="simulate and reduce a night of CCD images",
        description="Simulates a night of CCD images, reduces it with a pipeline of DC3b stages, compares the"
        " result with the truth and draws a picture. Exit codes: those of 'run', and 5 when the result misses"
        " the truth.",
    )
    parser.add_argument("--dir", default="demo-night", help="directory of the night (default: %(default)s)")
    parser.add_argument("--visits", type=at_least(1), default=6, help="science visits (default: %(default)s)")
    parser.add_argument(
        "--amps", type=at_least(1), default=4, help="amplifiers, one slice each (default: %(default)s)"
    )
    parser.add_argument(
        "--size", default="512x1024", help="columns x rows of an amplifier (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=20091209, help="seed of the night (default: %(default)s)")
    parser.add_argument("--workers", type=at_least(1), help="worker processes (default: as 'run' chooses)")
    files = parser.add_mutually_exclusive_group()
    files.add_argument("--keep", action="store_true", help="use the night that lies in the directory already")
    files.add_argument("--simulate-only", action="store_true", help="write raw files and policy, run nothing")
    parser.set_defaults(handler=handle)


class UsageProblem(Exception):
    """The command line asks for something impossible; the message says what to do."""


def handle(arguments: argparse.Namespace) -> int:
    """Runs what the command line asks for; returns the exit code."""
    try:
        plan = _plan(arguments)
        layout = _layout(arguments.dir)
        _prepare(layout, plan, arguments.keep)
    except (UsageProblem, ValueError, OSError) as error:
        print(f"pex-harness demo: {error}", file=sys.stderr)
        return WRONG_USAGE
    except ImportError as error:
        print(f"pex-harness demo: {error}; run: pip install 'pex-harness[demo]'", file=sys.stderr)
        return WRONG_USAGE
    if arguments.simulate_only:
        policy = shlex.quote(str(layout.policy_file))
        print(f"night in {layout.root}; run it with: pex-harness run {policy} demo")
        return 0
    code = _run(layout, plan, arguments.workers)
    if code != 0:
        print(f"pex-harness demo: the pipeline ended with exit code {code}", file=sys.stderr)
        return code
    return _check(layout, plan)


def _plan(arguments: argparse.Namespace) -> NightPlan:
    from harness.examples.ccd_night.night import NightPlan
    from harness.examples.ccd_night.simulate.detector import ChipGeometry

    size = re.fullmatch(r"(\d+)[xX](\d+)", arguments.size.strip())
    if size is None:
        raise UsageProblem(f"--size: expected columns x rows such as 512x1024, saw {arguments.size!r}")
    nx, ny = int(size.group(1)), int(size.group(2))
    if min(nx, ny) < SMALLEST_SIDE or nx * ny < SMALLEST_AREA:
        raise UsageProblem(
            f"--size: expected sides of at least {SMALLEST_SIDE} pixels and an area of at least"
            f" {SMALLEST_AREA}, saw {nx}x{ny}; smaller images have too few stars for a good zero point"
        )
    return NightPlan(
        visits=arguments.visits,
        geometry=ChipGeometry(amp_count=arguments.amps, nx=nx, ny=ny),
        seed=arguments.seed,
        stars_per_megapixel=max(180.0, STARS_PER_AMPLIFIER / (1e-6 * nx * ny)),
    )


def _layout(directory: str) -> NightLayout:
    from harness.examples.ccd_night.layout import NightLayout

    return NightLayout(Path(directory).absolute())


def _marker_text(plan: NightPlan, complete: bool) -> str:
    return json.dumps({"ccd_night": dataclasses.asdict(plan), "complete": complete}, indent=2)


def _prepare(layout: NightLayout, plan: NightPlan, keep: bool) -> None:
    """Simulates the night, or finds it there; writes the pipeline policy, removes earlier results."""
    from harness.examples.ccd_night.night import simulate_night
    from harness.examples.ccd_night.pipeline_policy import night_policy

    policy = night_policy(layout, plan.visits, plan.geometry.amp_count)
    marker = layout.root / MARKER
    present = marker.read_text(encoding="utf-8") if marker.exists() else ""
    if layout.root.exists() and "ccd_night" not in present and any(layout.root.iterdir()):
        raise UsageProblem(f"{layout.root} is not empty and holds no night of ours; choose another --dir")
    if keep and present != _marker_text(plan, True):
        raise UsageProblem(
            f"--keep: {layout.root} holds no complete night of {plan.visits} visits,"
            f" {plan.geometry.amp_count} amplifiers of {plan.geometry.nx}x{plan.geometry.ny}"
            f" and seed {plan.seed}; {MARKER} there tells what it holds"
        )
    for name in ("output",) if keep else ("output", "input", "truth"):
        _remove(layout.root / name)
    if not keep:
        started = time.monotonic()
        layout.root.mkdir(parents=True, exist_ok=True)
        # Until it is complete the night is known as ours to replace, but not to keep.
        marker.write_text(_marker_text(plan, False), encoding="utf-8")
        simulate_night(layout, plan, lambda text: print(f"simulating: {text}", flush=True))
        marker.write_text(_marker_text(plan, True), encoding="utf-8")
        print(f"simulated in {time.monotonic() - started:.1f} s", flush=True)
    layout.policy_file.write_text(policy, encoding="utf-8")


def _remove(path: Path) -> None:
    if path.exists():
        shutil.rmtree(path)


def _run(layout: NightLayout, plan: NightPlan, workers: int | None) -> int:
    """Runs the pipeline in a process of its own, whose master forks before it imports NumPy."""
    command = [sys.executable, "-m", "harness.cli.main", "run", str(layout.policy_file), "demo"]
    command += ["--run-dir", str(layout.root), "--visits", str(plan.visits)]
    if workers is not None:
        command += ["--workers", str(workers)]
    started = time.monotonic()
    code = subprocess.run(command, check=False).returncode
    images = plan.visits * plan.geometry.amp_count
    if code == 0:
        print(f"pipeline: {images} images in {time.monotonic() - started:.1f} s, start-up included\n")
    return code if code >= 0 else 128 - code


def _check(layout: NightLayout, plan: NightPlan) -> int:
    from harness.examples.ccd_night.check import check_night, format_check

    result = check_night(layout, plan)
    print(format_check(result))
    if result.complaints:
        for complaint in result.complaints:
            print(f"pex-harness demo: {complaint}", file=sys.stderr)
        print("pex-harness demo: the result misses the truth", file=sys.stderr)
        return CHECK_FAILED
    print("the result agrees with the truth")
    _draw(layout)
    return 0


def _draw(layout: NightLayout) -> None:
    try:
        from harness.examples.ccd_night.picture import draw_amplifier

        path = layout.picture(0, 0)
        draw_amplifier(layout, 0, 0, path)
    except ImportError as error:
        print(f"no picture: {error}; install matplotlib with pip install 'pex-harness[demo]'")
        return
    print(f"picture: {path}")
