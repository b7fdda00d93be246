# SPDX-License-Identifier: BSD-3-Clause
"""Makes a butler repository on SQLite with an input for each of some detectors.

Usage: make_repository.py DIRECTORY DETECTORS; with --check COLLECTION, counts the outputs there instead, and
prints how many are right.
"""

import sys

from lsst.daf.butler import Butler, DatasetType


def make(root: str, detectors: int) -> None:
    """A new repository with the inputs in the run `inputs`."""
    Butler.makeRepo(root)
    butler = Butler.from_config(root, writeable=True, run="inputs")
    camera = {"name": "Camera", "class_name": "none.Camera", "detector_max": detectors, "visit_max": 9,
              "exposure_max": 9}  # fmt: skip
    butler.registry.insertDimensionData("instrument", camera)
    for number in range(detectors):
        row = {"instrument": "Camera", "id": number, "full_name": f"CCD {number}"}
        butler.registry.insertDimensionData("detector", row)
    kind = DatasetType("given", {"instrument", "detector"}, "StructuredDataDict", universe=butler.dimensions)
    butler.registry.registerDatasetType(kind)
    for number in range(detectors):
        butler.put({"detector": number}, kind, instrument="Camera", detector=number)


def check(root: str, detectors: int, collection: str) -> None:
    """Prints how many outputs of a collection are what they should be."""
    butler = Butler.from_config(root, collections=[collection])
    found = [butler.get("made", instrument="Camera", detector=number) for number in range(detectors)]
    print(sum(one == {"detector": number} for number, one in enumerate(found)))


if __name__ == "__main__":
    if "--check" in sys.argv:
        check(sys.argv[1], int(sys.argv[2]), sys.argv[-1])
    else:
        make(sys.argv[1], int(sys.argv[2]))
