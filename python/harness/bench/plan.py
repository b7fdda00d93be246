# SPDX-License-Identifier: BSD-3-Clause
"""What is to be measured, checked before anything is started."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

MASTER, SLICE = "master", "slice"
"""Where the images of a visit are made."""
HARNESS = "harness"
MOST_SLICES, MOST_WORKERS = 4096, 250
"""As the dictionary of pipeline policies has them."""
MOST_AXES = 4
IMAGE_SUFFIXES = (".npy", ".fits", ".fit", ".fits.gz", ".fz")
PLOT_SUFFIXES = (".png", ".svg")


@dataclass(frozen=True)
class Plan:
    """What `measure` does.

    Attributes:
        stage: dotted name of a `Stage`, of its parallel half, or of a stage of 2007 or 2008; `None`: the
            pipeline of `policy` as it is.
        policy: file of the stage's policy, or without `stage` of a pipeline policy.
        shape: of synthetic images, rows first; `None` where none are made.
        dtype: NumPy's name of their pixels' type.
        images: files with images that are given.
        key: under which key a slice finds its image.
        source: `"master"`: the master has a new image for every slice in each visit and hands it over;
            `"slice"`: every slice has them itself, and may write into them.
        slices: the numbers of slices to measure, in the order of the table; empty: as the policy says.
        visits: timed visits of a round.
        warm_up: visits before them.
        rounds: how often everything is measured, in turn.
        compare: who else runs the stage: names of `harness.bench.contenders`.
        workers: worker processes; `None`: as the pipeline policy says, or one per slice, at most one per
            core.
        minutes: no round begins after so many; `None`: all do.
    """

    stage: str | None
    policy: Path | None = None
    shape: tuple[int, ...] | None = None
    dtype: str = "float32"
    images: tuple[Path, ...] = ()
    key: str = "image"
    source: str = MASTER
    slices: tuple[int, ...] = (1,)
    visits: int = 50
    warm_up: int = 4
    rounds: int = 6
    compare: tuple[str, ...] = ()
    workers: int | None = None
    minutes: float | None = None

    def __post_init__(self) -> None:
        """Raises `ValueError` for what cannot be meant."""
        self._check_types()
        if self.stage is None and self.policy is None:
            raise ValueError("nothing to measure: name a stage class, or the pipeline policy in --policy")
        if self.stage is not None and Path(self.stage).suffix in (".paf", ".json", ".toml"):
            raise ValueError(
                f"stage {self.stage!r} looks like a file; a whole pipeline policy is measured with"
                f" --policy {self.stage}, and no stage"
            )
        if self.images and self.shape is not None:
            raise ValueError("images are either synthetic (shape) or given (images), not both")
        if self.stage is None and self.compare:
            raise ValueError(
                "a whole pipeline policy runs in the harness alone; --compare needs the name of one stage"
            )
        if self.stage is not None and self.shape is None and not self.images:
            raise ValueError("a stage needs images: say their shape, such as 4096x4096, or give files")
        for name, least in (("visits", 1), ("warm_up", 1), ("rounds", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: expected {least} or more, saw {getattr(self, name)}")
        for count in self.slices:
            if not 1 <= count <= MOST_SLICES:
                raise ValueError(f"slices: expected 1 to {MOST_SLICES}, saw {count}")
        if len(set(self.slices)) != len(self.slices):
            raise ValueError(f"slices: {self.slices} has a number twice")
        if self.workers is not None and not 1 <= self.workers <= MOST_WORKERS:
            raise ValueError(f"workers: expected 1 to {MOST_WORKERS}, saw {self.workers}")
        if self.source not in (MASTER, SLICE):
            raise ValueError(f"source: expected {MASTER!r} or {SLICE!r}, saw {self.source!r}")
        if self.minutes is not None and not self.minutes > 0:
            raise ValueError(f"minutes: expected more than 0, saw {self.minutes}")

    def _check_types(self) -> None:
        texts = {"key": self.key, "source": self.source}
        if self.stage is not None:
            texts["stage"] = self.stage
        for name, text in texts.items():
            if not isinstance(text, str):
                raise ValueError(f"{name}: expected a text, saw {text!r}")
        numbers = {"visits": self.visits, "warm_up": self.warm_up, "rounds": self.rounds}
        if self.workers is not None:
            numbers["workers"] = self.workers
        for name, number in [*numbers.items(), *(("slices", count) for count in self.slices)]:
            if not _is_whole(number):
                raise ValueError(f"{name}: expected a whole number, saw {number!r}")
        # NumPy's numbers are as good, but JSON knows Python's alone.
        for name, number in numbers.items():
            object.__setattr__(self, name, int(number))
        object.__setattr__(self, "slices", tuple(map(int, self.slices)))
        if self.minutes is not None and not isinstance(self.minutes, (int, float)):
            raise ValueError(f"minutes: expected a number, saw {self.minutes!r}")
        for one in self.compare:
            if not isinstance(one, str):
                raise ValueError(f"compare: expected names such as 'joblib', saw {one!r}")

    @property
    def feeds(self) -> bool:
        """Whether images are put on clipboards."""
        return self.shape is not None or bool(self.images)

    def workers_for(self, slices: int) -> int:
        """How many processes run so many slices."""
        from harness.runtime.configuration.config import usable_cores

        most = self.workers if self.workers is not None else min(usable_cores(), MOST_WORKERS)
        return min(slices, most)

    def title(self) -> str:
        """What is measured, for the head of a report."""
        what = self.stage if self.stage is not None else f"the pipeline of {self.policy}"
        if self.images:
            return f"{what} on {len(self.images)} given image{'s' if len(self.images) > 1 else ''}"
        if self.shape is not None:
            return f"{what} on synthetic images, {'x'.join(map(str, self.shape))} {self.dtype}"
        return what


def _is_whole(number: Any) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)


def sequence_of(name: str, given: Any, expected: str) -> tuple[Any, ...]:
    """What an argument has one after the other. Raises `ValueError` for one thing alone, and for a text."""
    if isinstance(given, (str, bytes)) or not isinstance(given, Iterable):
        raise ValueError(f"{name}: expected a sequence of {expected}, saw {given!r}")
    return tuple(given)


def checked_path(name: str, given: Any) -> Path:
    """The path that an argument is. Raises `ValueError`."""
    if not isinstance(given, (str, os.PathLike)):
        raise ValueError(f"{name}: expected a path, saw {given!r}")
    return Path(given)


def checked_place(name: str, path: str | os.PathLike[str]) -> Path:
    """The path of a file that can be written. Raises `ValueError`."""
    found = checked_path(name, path)
    folder = found.absolute().parent
    if not folder.is_dir():
        raise ValueError(f"{name}: there is no directory {folder}")
    if found.is_dir():
        raise ValueError(f"{name}: {found} is a directory; expected the name of a file")
    if not os.access(found if found.exists() else folder, os.W_OK):
        raise ValueError(f"{name}: {found} cannot be written")
    return found


def parse_shape(given: str | Sequence[int] | None) -> tuple[int, ...] | None:
    """The shape that `4096x4096`, or a sequence of numbers, means; rows first. Raises `ValueError`."""
    if given is None:
        return None
    if isinstance(given, str):
        if not re.fullmatch(r"\d{1,9}(x\d{1,9})*", given.strip()):
            raise ValueError(f"shape: expected rows x columns such as 4096x4096, saw {given!r}")
        numbers = tuple(int(part) for part in given.strip().split("x"))
    else:
        numbers = sequence_of("shape", given, "axes such as (4096, 4096)")
    if not 1 <= len(numbers) <= MOST_AXES:
        raise ValueError(f"shape: expected 1 to {MOST_AXES} axes, saw {len(numbers)}: {given!r}")
    if not all(_is_whole(number) and number >= 1 for number in numbers):
        raise ValueError(f"shape: expected axes of 1 pixel or more, saw {given!r}")
    return tuple(map(int, numbers))


def parse_counts(text: str) -> tuple[int, ...]:
    """The numbers of slices in `1,2,4`. Raises `ValueError`."""
    parts = [part.strip() for part in text.split(",")]
    if not all(re.fullmatch(r"\d{1,6}", part) for part in parts):
        raise ValueError(f"slices: expected numbers such as 1,2,4, saw {text!r}")
    return tuple(int(part) for part in parts)


def checked_dtype(name: str) -> str:
    """The name of a type of pixels, as NumPy writes it. Raises `ValueError` for anything but numbers."""
    import numpy as np

    try:
        dtype = np.dtype(name)
    except TypeError:
        raise ValueError(f"dtype: expected a NumPy type such as float32 or uint16, saw {name!r}") from None
    if dtype.kind not in "biufc" or dtype.names is not None:
        raise ValueError(f"dtype: expected numbers, such as float32 or uint16, saw {name!r}")
    return dtype.name


def checked_images(paths: Sequence[str | os.PathLike[str]]) -> tuple[Path, ...]:
    """The paths of image files, all of which are there. Raises `ValueError`."""
    found = []
    for given in sequence_of("images", paths, "paths of files"):
        path = checked_path("images", given)
        if not path.name.lower().endswith(IMAGE_SUFFIXES):
            kinds = ", ".join(IMAGE_SUFFIXES)
            raise ValueError(f"images: {path}: expected a file whose name ends in one of {kinds}")
        if not path.is_file():
            raise ValueError(f"images: {path}: there is no such file")
        found.append(path)
    return tuple(found)


def checked_plot(path: str | os.PathLike[str]) -> Path:
    """The path of a picture that can be drawn.

    Raises:
        ValueError: its name ends otherwise, or it cannot be written.
        ImportError: matplotlib is not installed.
    """
    import importlib.util

    found = checked_place("plot", path)
    if found.suffix.lower() not in PLOT_SUFFIXES:
        raise ValueError(f"plot: expected a name that ends in .png or .svg, saw {str(found)!r}")
    if importlib.util.find_spec("matplotlib") is None:
        raise ImportError(
            "a plot needs matplotlib, which is not installed: pip install 'pex-harness[plot]'",
            name="matplotlib",
        )
    return found


def to_json(plan: Plan) -> dict[str, Any]:
    """All attributes, as what JSON can hold."""
    from dataclasses import asdict

    values = asdict(plan)
    values["policy"] = None if plan.policy is None else str(plan.policy)
    values["images"] = [str(path) for path in plan.images]
    return values
