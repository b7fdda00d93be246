# SPDX-License-Identifier: BSD-3-Clause
"""Ways to do the whole job with two workers. Run as a program, does it one way in this process.

Usage: ways.py NAME VISITS. Prints one line of JSON: seconds, sum of all pixels, outstanding pixels, images.
"""

from __future__ import annotations

import importlib.util
import json
import mmap
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "handover")]

import numpy as np  # noqa: E402
from job import (  # noqa: E402
    AMPLIFIERS,
    DISTINCT,
    SHAPE,
    WARM,
    Sums,
    calibration,
    exposure_time,
    raw_images,
    reduced,
    reduced_into,
    timed,
)
from keys import policies_know  # noqa: E402

WORKERS = 2
FLIGHT = "visitsInFlight"
Found = dict[str, Any]
WARN = 10


def alone(visits: int) -> Found:
    """One process."""
    raw, calibrations = raw_images(), [calibration(amplifier) for amplifier in range(AMPLIFIERS)]

    def visit(number: int, sums: Sums) -> None:
        for amplifier in range(AMPLIFIERS):
            image = raw[number % DISTINCT][amplifier]
            sums.add(amplifier, *reduced(image, calibrations[amplifier], exposure_time(number)))

    return timed(visit, visits)


def ceiling(visits: int) -> Found:
    """Two processes that share nothing: each does every other visit, and only its sums count at the end."""
    raw, calibrations = raw_images(), [calibration(amplifier) for amplifier in range(AMPLIFIERS)]

    def some(numbers: range, sums: Sums) -> Sums:
        for number in numbers:
            for amplifier in range(AMPLIFIERS):
                image = raw[number % DISTINCT][amplifier]
                sums.add(amplifier, *reduced(image, calibrations[amplifier], exposure_time(number)))
        return sums

    some(range(1), Sums())
    read, write = os.pipe()
    ready, go = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        some(range(1), Sums())
        os.write(ready[1], b"x")
        os.read(go[0], 1)
        told = some(range(1, visits, WORKERS), Sums()).told()
        os.write(write, json.dumps(told).encode())
        os._exit(0)
    os.read(ready[0], 1)
    start = time.perf_counter()
    os.write(go[1], b"x")
    ours = some(range(0, visits, WORKERS), Sums()).told()
    theirs = json.loads(os.read(read, 65536))
    seconds = time.perf_counter() - start
    os.waitpid(pid, 0)
    return {"seconds": seconds, **{key: ours[key] + theirs[key] for key in ours}}


def by_hand(visits: int) -> Found:
    """Forked workers, shared memory, a rendezvous in C; the master sums a visit while the next one runs."""
    from bare import library
    from forks import forked

    def shared() -> np.ndarray:
        image = np.frombuffer(mmap.mmap(-1, SHAPE[0] * SHAPE[1] * 4), np.float32).reshape(SHAPE)
        image[...] = 0
        return image

    raw, calibrations = raw_images(shared), [calibration(amplifier) for amplifier in range(AMPLIFIERS)]
    out = [[shared() for _ in range(AMPLIFIERS)] for _ in range(2)]
    counts = np.frombuffer(mmap.mmap(-1, 4096), np.int64)[: 2 * AMPLIFIERS].reshape(2, AMPLIFIERS)
    numbers = np.frombuffer(mmap.mmap(-1, 4096), np.int64)
    meeting = library().bare_meeting(WORKERS)

    def body(rank: int) -> None:
        turn = 0
        while True:
            turn = library().bare_wait_release(meeting, turn)
            number, half = int(numbers[0]), turn % 2
            for amplifier in range(rank, AMPLIFIERS, WORKERS):
                counts[half, amplifier] = reduced_into(
                    raw[number % DISTINCT][amplifier], calibrations[amplifier], exposure_time(number),
                    out[half][amplifier],
                )  # fmt: skip
            library().bare_arrive(meeting, turn)

    def add(half: int, sums: Sums) -> None:
        for amplifier in range(AMPLIFIERS):
            sums.add(amplifier, out[half][amplifier], int(counts[half, amplifier]))

    with forked(WORKERS, body):
        turn = 0

        def release(number: int) -> None:
            nonlocal turn
            numbers[0] = number
            turn += 1
            library().bare_release(meeting)

        warm, sums = Sums(), Sums()
        for number in range(WARM):
            release(number)
            library().bare_wait_all(meeting)
            add(turn % 2, warm)
        start = time.perf_counter()
        for number in range(visits):
            release(number)
            if number:
                add((turn - 1) % 2, sums)
            library().bare_wait_all(meeting)
        add(turn % 2, sums)
        return {"seconds": time.perf_counter() - start, **sums.told()}


def in_harness(visits: int, head: str, warm: int = WARM, reduce: str = "Reduce") -> Found:
    """Ordinary stages: 8 slices on two workers."""
    from harness.runtime.pipeline.pipeline import Pipeline

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / "job.paf"
        path.write_text(
            f'nSlices: {AMPLIFIERS}\narenaSize: "2 GiB"\n{head}'
            'appStage: {\n  name: "hand out"\n  serialClass: "job_stages.HandOut"\n'
            f"  stagePolicy: {{ warm: {warm} }}\n}}\n"
            f'appStage: {{\n  name: "reduce"\n  parallelClass: "job_stages.{reduce}"\n}}\n'
            'appStage: {\n  name: "sum up"\n  serialClass: "job_stages.SumUp"\n'
            f'  stagePolicy: {{\n    warm: {warm}\n    out: "{folder}/out"\n  }}\n}}\n'
        )
        run = folder / "r"
        pipeline = Pipeline("r", path, run_dir=run, max_visits=visits + warm, workers=WORKERS)
        pipeline.setLogThreshold(WARN)
        pipeline.run()
        summary = json.loads((run / "summary.json").read_text())
        if summary["failures"] or any(row["raised"] for row in summary["stages"]):
            raise RuntimeError(f"a stage has failed: {(run / 'log' / 'Pipeline.log').read_text()[-2000:]}")
        copied = sum(row["bytes_copied"] for row in summary["stages"])
        return {**json.loads((folder / "out").read_text()), "copied": copied}


def scheduled(schedule: str, in_flight: int = 1, balanced: bool = False) -> Callable[[int], Found]:
    """The job in the harness with such a policy.

    With several visits in flight, the one that warms up is the first, which is alone: no work of those that
    are timed is done before, and none of others after the clock has started.
    """
    head, warm = f'schedule: "{schedule}"\n', WARM
    if in_flight > 1:
        head, warm = f"{head}visitsInFlight: {in_flight}\n", 1
    reduce = "LooseReduce" if balanced else "Reduce"
    return lambda visits: in_harness(visits, head, warm, reduce)


_calibrations: dict[int, Any] = {}


def task(amplifier: int, raw: np.ndarray, seconds: np.float32) -> tuple[np.ndarray, int]:
    """What a worker of a pool does; it keeps its calibrations."""
    if amplifier not in _calibrations:
        _calibrations[amplifier] = calibration(amplifier)
    return reduced(raw, _calibrations[amplifier], seconds)


def _visits(call: Callable[[list[tuple]], Any], visits: int) -> Found:
    raw = raw_images()

    def visit(number: int, sums: Sums) -> None:
        seconds = exposure_time(number)
        tasks = [(amplifier, raw[number % DISTINCT][amplifier], seconds) for amplifier in range(AMPLIFIERS)]
        for amplifier, (image, count) in enumerate(call(tasks)):
            sums.add(amplifier, image, count)

    return timed(visit, visits)


def in_pool(visits: int) -> Found:
    """multiprocessing.Pool."""
    import multiprocessing

    import ways

    with multiprocessing.get_context("fork").Pool(WORKERS) as pool:
        return _visits(lambda tasks: pool.starmap(ways.task, tasks, chunksize=1), visits)


def in_joblib(visits: int) -> Found:
    """joblib with its own workers and arrays mapped from memory."""
    import ways
    from joblib import Parallel, delayed

    call = delayed(ways.task)
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        with Parallel(WORKERS, temp_folder=folder) as parallel:
            return _visits(lambda tasks: parallel(call(*one) for one in tasks), visits)


def in_ray(visits: int) -> Found:
    """Ray tasks; images through its object store."""
    import ways
    from peers_clusters import ray_cluster

    with ray_cluster(WORKERS, str(HERE)) as ray:
        call = ray.remote(num_cpus=1, num_returns=2)(ways.task)

        def visit(tasks: list[tuple]) -> Any:
            calls = [call.remote(number, ray.put(raw), seconds) for number, raw, seconds in tasks]
            return (ray.get(one) for one in calls)

        return _visits(visit, visits)


def in_dask(visits: int) -> Found:
    """Dask; images scattered, results gathered."""
    import ways
    from peers_clusters import dask_client

    with dask_client(WORKERS, str(HERE)) as client:

        def visit(tasks: list[tuple]) -> Any:
            raw = client.scatter([image for _, image, _ in tasks], hash=False)
            calls = [
                client.submit(ways.task, number, image, seconds, pure=False)
                for (number, _, seconds), image in zip(tasks, raw, strict=True)
            ]
            return client.gather(calls)

        return _visits(visit, visits)


def in_mpi(visits: int) -> Found:
    """MPI, both ranks at work: Scatterv, Gatherv, Reduce. Every rank comes here; rank 0 has the sums."""
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    first, per = world.rank * (AMPLIFIERS // world.size), AMPLIFIERS // world.size
    calibrations = [calibration(first + number) for number in range(per)]
    is_master = world.rank == 0
    raw = [np.stack(images) for images in raw_images()] if is_master else [None] * DISTINCT
    mine, results = np.zeros((2, per, *SHAPE), np.float32)
    gathered = np.zeros((AMPLIFIERS, *SHAPE), np.float32) if is_master else None

    def visit(number: int, sums: Sums) -> None:
        world.Scatter(raw[number % DISTINCT], mine)
        counts = []
        for at in range(per):
            results[at], count = reduced(mine[at], calibrations[at], exposure_time(number))
            counts.append(count)
        world.Gather(results, gathered)
        every = world.gather(counts)
        if gathered is not None:
            for amplifier in range(AMPLIFIERS):
                sums.add(amplifier, gathered[amplifier], every[amplifier // per][amplifier % per])

    return timed(visit, visits)


@dataclass(frozen=True)
class Way:
    """One way.

    Attributes: `label` is what tables call it, `needs` a package, `program` what starts its ranks, `key` a
    key that pipeline policies must know; `is_peer` ones are what somebody would pick instead.
    """

    label: str
    function: Callable[[int], Found]
    needs: str = ""
    program: str = ""
    key: str = ""
    is_peer: bool = False

    def missing(self) -> str:
        """Why it cannot take part; empty if it can."""
        for package in ("scipy", self.needs):
            if package and importlib.util.find_spec(package) is None:
                return f"Python package {package} is not installed"
        if self.program and shutil.which(self.program) is None:
            return f"command {self.program} is not installed"
        if self.key and not policies_know(self.key):
            return f"pipeline policies of this version have no {self.key}"
        return ""

    def command(self, name: str, visits: int) -> list[str]:
        """What starts it in processes of its own."""
        start = [sys.executable, __file__, name, str(visits)]
        if self.program:
            start = [self.program, "--allow-run-as-root", "--oversubscribe", "-n", str(WORKERS), *start]
        return start


WAYS = {
    "ceiling": Way("ceiling: two processes that share nothing", ceiling),
    "harness": Way("**harness**, ordinary stages, 2 workers", scheduled("lockstep")),
    "fused": Way("**harness**, fused", scheduled("fused")),
    "loose": Way("**harness**, fused, balanced", scheduled("fused", balanced=True)),
    "flight2": Way("**harness**, 2 visits in flight", scheduled("lockstep", 2), key=FLIGHT),
    "flight3": Way("**harness**, 3 visits in flight", scheduled("lockstep", 3), key=FLIGHT),
    "fused2": Way("**harness**, fused, 2 visits in flight", scheduled("fused", 2), key=FLIGHT),
    "fused3": Way("**harness**, fused, 3 visits in flight", scheduled("fused", 3), key=FLIGHT),
    "all": Way("**harness**, fused, balanced, 2 visits in flight", scheduled("fused", 2, True), key=FLIGHT),
    "hand": Way("written by hand: fork, shared memory, the master overlapped", by_hand),
    "mpi": Way("Open MPI, 2 ranks, written by hand", in_mpi, "mpi4py", "mpirun", is_peer=True),
    "joblib": Way("joblib", in_joblib, "joblib", is_peer=True),
    "ray": Way("Ray tasks", in_ray, "ray", is_peer=True),
    "pool": Way("multiprocessing.Pool", in_pool, is_peer=True),
    "dask": Way("Dask", in_dask, "distributed", is_peer=True),
    "alone": Way("one process, plain NumPy", alone),
}


def main(name: str, visits: int) -> None:
    """Does the job one way and prints what it took; only rank 0 of an MPI job prints."""
    found = WAYS[name].function(visits)
    rank = importlib.import_module("mpi4py.MPI").COMM_WORLD.rank if WAYS[name].program else 0
    if rank == 0:
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
