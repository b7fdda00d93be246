# SPDX-License-Identifier: BSD-3-Clause
"""How a repository of the Rubin data butler stores objects of the harness; named in its configuration.

Needs the distribution `lsst-daf-butler`, which imports this module when it meets a dataset of such a kind.
"""

from __future__ import annotations

import os
from typing import Any

from lsst.daf.butler import FormatterV2

from harness.storage import ReadRequest, storage_named
from harness.storage.fits_units import fits_content

__all__ = ["FitsFormatter", "repository_config"]


class FitsFormatter(FormatterV2):
    """Images, arrays, CCDData and tables as FITS files, through `harness.storage.fits.FitsStorage`."""

    default_extension = ".fits"
    supported_extensions = frozenset({".fits", ".fit", ".fits.gz"})
    can_read_from_local_file = True

    def read_from_local_file(self, path: str, component: str | None = None, expected_size: int = -1) -> Any:
        """The object in a file, of the class of the dataset's storage class."""
        wanted = self.file_descriptor.readStorageClass.pytype
        name = f"{wanted.__module__}.{wanted.__qualname__}"
        return storage_named("FitsStorage").read(path, ReadRequest(str(self.dataset_ref), name))

    def write_local_file(self, in_memory_dataset: Any, uri: Any) -> None:
        """Writes the file, which the library then gives its final name."""
        content = fits_content(in_memory_dataset)
        with open(uri.ospath, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())


def repository_config() -> dict[str, Any]:
    """What a repository's configuration needs to have `HarnessImage` and `NumpyArray` in FITS files.

    For ``Butler.makeRepo(root, config=Config(repository_config()))``.
    """
    name = f"{__name__}.{FitsFormatter.__qualname__}"
    return {
        "storageClasses": {"HarnessImage": {"pytype": "harness.storage.image.Image"}},
        "datastore": {"formatters": {"HarnessImage": name, "NumpyArray": name}},
    }
