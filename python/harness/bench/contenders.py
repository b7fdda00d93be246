# SPDX-License-Identifier: BSD-3-Clause
"""Other ways to run the same stage in parallel; each is a context that gives a function for one visit.

That function takes the arguments of `run_task` for every rank, and returns what the calls return, in any
order, once all have ended.
"""

from __future__ import annotations

import importlib.util
import logging
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from harness.bench.tasks import Result, run_task

Task = tuple[Any, ...]
Visit = Callable[[Sequence[Task]], Sequence[Result]]


@dataclass(frozen=True)
class Contender:
    """One of them: `label` is what tables call it, `needs` a package that has to be installed."""

    label: str
    open: Callable[[int], AbstractContextManager[Visit]]
    needs: str = ""
    parallel: bool = True

    def missing(self) -> str:
        """Why it cannot take part; empty if it can."""
        if self.needs and importlib.util.find_spec(self.needs) is None:
            return f"{self.label} is not installed: pip install {self.needs}"
        return ""


@contextmanager
def serial(workers: int) -> Iterator[Visit]:
    """One process, rank after rank."""
    yield lambda tasks: [run_task(*task) for task in tasks]


@contextmanager
def pool(workers: int) -> Iterator[Visit]:
    """`multiprocessing.Pool` of forked workers, one task at a time each."""
    with multiprocessing.get_context("fork").Pool(workers) as workers_of_it:
        yield lambda tasks: workers_of_it.starmap(run_task, tasks, chunksize=1)


@contextmanager
def futures(workers: int) -> Iterator[Visit]:
    """`concurrent.futures.ProcessPoolExecutor` of forked workers."""
    from concurrent.futures import ProcessPoolExecutor

    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as executor:
        yield lambda tasks: list(executor.map(run_task, *zip(*tasks, strict=True)))


@contextmanager
def joblib(workers: int) -> Iterator[Visit]:
    """joblib's own workers, to which large arrays go through files in memory; with one it runs here."""
    from joblib import Parallel, delayed

    call = delayed(run_task)
    folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=folder) as name, Parallel(workers, temp_folder=name) as parallel:
        yield lambda tasks: list(parallel(call(*task) for task in tasks))


@contextmanager
def ray(workers: int) -> Iterator[Visit]:
    """Ray tasks on a cluster of this machine; its start is not timed."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
    import ray as module

    with tempfile.TemporaryDirectory(prefix="r") as folder:
        module.init(
            num_cpus=workers, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1", _temp_dir=folder,
        )  # fmt: skip
        try:
            call = module.remote(num_cpus=1)(run_task)
            yield lambda tasks: module.get([call.remote(*task) for task in tasks])
        finally:
            module.shutdown()


@contextmanager
def dask(workers: int) -> Iterator[Visit]:
    """Dask on a cluster of this machine, images scattered; its start is not timed."""
    import dask as settings
    from distributed import Client, LocalCluster

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with (
        tempfile.TemporaryDirectory() as folder,
        settings.config.set({"temporary_directory": folder}),
        LocalCluster(
            n_workers=workers, threads_per_worker=1, dashboard_address=None, host="127.0.0.1",
            memory_limit=None,
        ) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip

        def visit(tasks: Sequence[Task]) -> Sequence[Result]:
            calls = []
            for order, rank, number, image in tasks:
                handed = None if image is None else client.scatter(image, hash=False)
                calls.append(client.submit(run_task, order, rank, number, handed, pure=False))
            found: Sequence[Result] = client.gather(calls)
            return found

        yield visit


CONTENDERS = {
    "serial": Contender("one process", serial, parallel=False),
    "multiprocessing": Contender("multiprocessing.Pool", pool),
    "futures": Contender("concurrent.futures", futures),
    "joblib": Contender("joblib", joblib, "joblib"),
    "ray": Contender("Ray", ray, "ray"),
    "dask": Contender("Dask", dask, "distributed"),
}
"""By the names that `measure` and the command line know them by."""
