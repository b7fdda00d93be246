# SPDX-License-Identifier: BSD-3-Clause
"""How fast FITS images come into the shared memory of a run, beside astropy and fitsio alone.

Usage: read_fits.py [--rounds N] [--sizes SIDE ...] [--folder DIR]. Images are square, of float32 or of uint16
(BZERO), plain, plain with checksums, and tile-compressed by Rice (float32: by gzip, without loss). "astropy"
is fits.getdata() followed by what a stage needs, native byte order, in private memory; "as it is" leaves the
bytes as they are in the file. "fitsio" is fitsio.read(). "harness" is FitsStorage into an arena, header
included, and checksums are verified. The files lie in the page cache: what is measured is the work, not the
disk. In every round each contender reads an image several times, in turn; its times in that round are the
medians, of wall time and of the thread's processor time, which other programs on the machine disturb less.
Ratios are of processor time, to astropy in the same round.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
from astropy.io import fits
from harness import _core, arrays
from harness.storage import ReadRequest, storage_named

REQUEST = ReadRequest("frame")
CARDS = 100
LEAST_S = 0.3


def astropy_native(path: Path) -> Any:
    """A native array of the image."""
    found = fits.getdata(path, memmap=False)
    return found.astype(found.dtype.newbyteorder("="))


def astropy_as_it_is(path: Path) -> Any:
    """The array in the byte order of the file, where it is not scaled."""
    return fits.getdata(path, memmap=False)


def fitsio_read(path: Path) -> Any:
    """A native array of the image."""
    import fitsio

    return fitsio.read(str(path), ext=1 if path.suffix == ".fz" else 0)


def harness_read(path: Path) -> Any:
    """A native array in shared memory."""
    image = storage_named("FitsStorage").read(str(path), REQUEST)
    assert len(image.header) >= CARDS, "the header is not there"
    return image.array


CONTENDERS: dict[str, Callable[[Path], Any]] = {
    "astropy, native": astropy_native,
    "astropy, as it is": astropy_as_it_is,
    "harness": harness_read,
}
if importlib.util.find_spec("fitsio"):
    CONTENDERS["fitsio"] = fitsio_read


def images(folder: Path, side: int) -> list[tuple[str, Path, Any]]:
    """Files of one size: what they are, where, and their pixels."""
    noise = numpy.random.default_rng(1).normal(1000, 30, (side, side))
    cards = [(f"KEY{number}", number * 0.5, "one of many") for number in range(CARDS)]
    found = []
    for dtype in ("float32", "uint16"):
        pixels = noise.astype(dtype)
        for kind in ("plain", "checksum", "compressed"):
            path = folder / f"{side}-{dtype}-{kind}.fits{'.fz' if kind == 'compressed' else ''}"
            if kind == "compressed":
                by = "RICE_1" if dtype == "uint16" else "GZIP_2"
                unit = fits.CompImageHDU(pixels, compression_type=by, quantize_level=0)
                unit.header.extend(cards)
                fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path)
            else:
                fits.PrimaryHDU(pixels, fits.Header(cards)).writeto(path, checksum=kind == "checksum")
            found.append((f"{dtype}, {kind}", path, pixels))
    return found


def median_times(read: Callable[[Path], Any], path: Path) -> tuple[float, float]:
    """Seconds (wall, processor) of one reading; the first one is not counted."""
    read(path)
    wall: list[float] = []
    processor: list[float] = []
    while len(wall) < 3 or sum(wall) < LEAST_S:
        begin, begin_processor = time.perf_counter(), time.thread_time()
        found = read(path)
        processor.append(time.thread_time() - begin_processor)
        wall.append(time.perf_counter() - begin)
        del found
    return statistics.median(wall), statistics.median(processor)


def measure(path: Path, pixels: Any, rounds: int) -> None:
    """Prints the rows of one image."""
    names = list(CONTENDERS)
    for contender in names:
        if not numpy.array_equal(CONTENDERS[contender](path), pixels):
            raise SystemExit(f"{contender} read something else than was written into {path.name}")
    times: dict[str, list[tuple[float, float]]] = {contender: [] for contender in names}
    for turn in range(rounds):
        for contender in names[turn % len(names) :] + names[: turn % len(names)]:
            times[contender].append(median_times(CONTENDERS[contender], path))
    mib = pixels.nbytes / 2**20
    for contender in names:
        wall, processor = (statistics.median(column) for column in zip(*times[contender], strict=True))
        pairs = zip(times[contender], times[names[0]], strict=True)
        ratios = [mine / base for (_, mine), (_, base) in pairs]
        ratio = f"{statistics.median(ratios):5.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        figures = f"{wall * 1e3:9.2f} {processor * 1e3:9.2f} {mib / processor:9.0f}"
        print(f"  {contender:20} {figures}   {ratio}")


def main() -> None:
    """Prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 4096])
    parser.add_argument("--folder", type=Path, help="where the files lie (default: the system's)")
    arguments = parser.parse_args()
    if "fitsio" not in CONTENDERS:
        print("fitsio is not installed and left out: pip install 'pex-harness[bench]'")
    run = _core.Run(1 << 30, 1, 1, 1)
    run.attach_master()
    arrays.use_arena(run.arena)
    with contextlib.ExitStack() as stack:
        stack.callback(arrays.use_arena, None)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=arguments.folder)))
        for side in arguments.sizes:
            for name, path, pixels in images(folder, side):
                print(f"\n{side} x {side} {name}, {path.stat().st_size / 2**20:.1f} MiB in the file")
                print("                         wall ms    cpu ms     MiB/s   of astropy's cpu time")
                measure(path, pixels, arguments.rounds)
                path.unlink()
        found = run.arena.stats()
        if not found["allocs_warm"]:
            raise SystemExit("the harness did not read into the arena")


main()
