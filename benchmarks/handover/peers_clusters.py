# SPDX-License-Identifier: BSD-3-Clause
"""Peers that start a cluster of their own: Ray and Dask. They do more than hand images over; start-up is
not timed.
"""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bare import touch
from forks import timed_handovers, timed_steps
from peers import add, checked_round, nothing, read

HERE = str(Path(__file__).parent)


@contextmanager
def ray_cluster(workers: int, folder_of_tasks: str = HERE) -> Iterator[Any]:
    """Ray with so many workers, which find modules in `folder_of_tasks`."""
    path = os.pathsep.join([folder_of_tasks, os.environ.get("PYTHONPATH", "")])
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0", PYTHONPATH=path)
    import ray

    with tempfile.TemporaryDirectory(prefix="r") as folder:
        ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, object_store_memory=4 << 30,
                 _node_ip_address="127.0.0.1", _temp_dir=folder, logging_level=logging.ERROR)
        try:
            yield ray
        finally:
            ray.shutdown()


@contextmanager
def ray_actors(slices: int) -> Iterator[tuple[Any, list[Any]]]:
    """Ray, and one actor per slice."""

    class Slice:
        def step(self) -> None:
            pass

        def read(self, image: np.ndarray) -> int:
            self.image = image
            return touch(image)

        def compute(self, rank: int) -> None:
            self.result = add(self.image, rank)

        def back(self) -> np.ndarray:
            return self.result

    with ray_cluster(slices) as ray:
        actor = ray.remote(num_cpus=1)(Slice)
        actors = [actor.remote() for _ in range(slices)]
        ray.get([one.step.remote() for one in actors])
        yield ray, actors


def ray_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """Ray: a method of every actor."""
    with ray_actors(slices) as (ray, actors):
        return timed_steps(lambda: ray.get([one.step.remote() for one in actors]), rounds, seconds)


def ray_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Ray: put into its object store, read by actors; results come back through it."""
    with ray_actors(slices) as (ray, actors):

        def there(image: np.ndarray) -> list[int]:
            stored = ray.put(image)
            return ray.get([one.read.remote(stored) for one in actors])

        def compute() -> None:
            ray.get([one.compute.remote(rank) for rank, one in enumerate(actors)])

        def back() -> list[int]:
            return [touch(result) for result in ray.get([one.back.remote() for one in actors])]

        hand_over = checked_round((slices, mebibytes), there, back, compute=compute)
        return timed_handovers(hand_over, rounds, seconds)


@contextmanager
def dask_client(slices: int, folder_of_tasks: str = HERE) -> Iterator[Any]:
    """A Dask cluster of one worker process per slice; they find modules in `folder_of_tasks`."""
    import dask
    from distributed import Client, LocalCluster

    os.environ["PYTHONPATH"] = os.pathsep.join([folder_of_tasks, os.environ.get("PYTHONPATH", "")])
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder, dask.config.set({"temporary_directory": folder}):
        with LocalCluster(n_workers=slices, threads_per_worker=1, dashboard_address=None, host="127.0.0.1",
                          memory_limit=None) as cluster, Client(cluster) as client:
            yield client


def dask_steps(slices: int, rounds: int, seconds: float) -> list[float]:
    """Dask: a task on every worker."""
    with dask_client(slices) as client:
        return timed_steps(
            lambda: client.gather(client.map(nothing, range(slices), pure=False)), rounds, seconds
        )


def dask_handover(slices: int, mebibytes: int, rounds: int, seconds: float) -> dict[str, Any]:
    """Dask: scatter to every worker, a task on each; results are gathered."""
    from distributed import wait

    with dask_client(slices) as client:
        workers = list(client.scheduler_info(n_workers=-1)["workers"])
        scattered: list[Any] = []
        results: list[Any] = []

        def on_each(function: Any) -> list[Any]:
            return [
                client.submit(function, scattered[0], rank, workers=[worker], pure=False)
                for rank, worker in enumerate(workers)
            ]

        def there(image: np.ndarray) -> list[int]:
            scattered[:] = [client.scatter(image, broadcast=True, hash=False)]
            return client.gather(on_each(read))

        def compute() -> None:
            results[:] = on_each(add)
            wait(results)

        def back() -> list[int]:
            return [touch(result) for result in client.gather(results)]

        hand_over = checked_round((slices, mebibytes), there, back, compute=compute)
        return timed_handovers(hand_over, rounds, seconds)
