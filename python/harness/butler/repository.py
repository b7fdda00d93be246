# SPDX-License-Identifier: BSD-3-Clause
"""Datasets in a repository of the Rubin data butler (distribution `lsst-daf-butler`), for the IO stages.

The library keeps a connection to a database, which must not cross a fork: every process opens its own, when
it first uses it. Nothing of the library is imported before.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

import harness.exceptions as pex
from harness.outputs import record_output
from harness.storage import ReadRequest, storage_named

__all__ = ["Repository"]

LIBRARY = "lsst.daf.butler"
_Key = tuple[int, str, tuple[str, ...], bool]
_butlers: dict[_Key, tuple[Any, int]] = {}
"""The butlers that processes have open, with how many users each has: slices of one worker share one."""
PICKLES = (".pickle", ".pkl")
SQLITE_READONLY_ROLLBACK = 776
"""SQLite's code of this name (https://www.sqlite.org/rescode.html)."""
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _past_dead_writers(
    method: Callable[Concatenate[Repository, _P], _R],
) -> Callable[Concatenate[Repository, _P], _R]:
    """Does a reading method again where a process died while it wrote to the database.

    SQLite takes back what such a process has begun as soon as the file is opened for writing, and refuses
    those who only read until then.
    """

    @functools.wraps(method)
    def done(self: Repository, *args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return method(self, *args, **kwargs)
        except pex.RuntimeError as error:
            reason = getattr(error.__cause__, "orig", None)
            if getattr(reason, "sqlite_errorcode", None) != SQLITE_READONLY_ROLLBACK:
                raise
        _take_back_unfinished(self.root)
        return method(self, *args, **kwargs)

    return done


class Repository:
    """Reads and writes datasets of one repository.

    Args:
        root: its directory, or the path of its butler.yaml.
        collections: where datasets are looked for, in this order.
        run: the run that datasets are written to, made if it is not there; None: nothing can be written.
        data_id: ids that every dataset has, such as the instrument; those of an item win.

    Raises:
        harness.exceptions.RuntimeError: the library is not installed, or the repository cannot be opened.
    """

    def __init__(
        self,
        root: str,
        *,
        collections: Sequence[str] = (),
        run: str | None = None,
        data_id: Mapping[str, Any] | None = None,
    ) -> None:
        self.root = root
        self.run = run
        self._collections = tuple(collections)
        self._data_id = dict(data_id or {})
        self._key: _Key | None = None
        self._has_run = False
        if not _is_installed():
            raise pex.RuntimeError(
                f"butler repository {root}: it needs lsst-daf-butler, which is not installed; install it"
                " with: pip install 'pex-harness[butler]' (Python 3.11 or newer)"
            )
        self._open()

    @_past_dead_writers
    def datasetExists(self, datasetType: str, dataId: Mapping[str, Any]) -> bool:
        """Whether the dataset and its file are there; not where a collection is not there yet.

        Raises:
            as `get` does, but for datasets and collections that are missing.
        """
        from lsst.daf.butler import MissingCollectionError

        butler, ids = self._open(), self._ids(dataId)
        with self._told(datasetType, ids):
            with contextlib.suppress(MissingCollectionError):
                if butler.exists(datasetType, ids, collections=self._where()):
                    return True
            # What other processes have registered since is seen now.
            butler.registry.refresh()
            butler.get_dataset_type(datasetType)
            return False

    @_past_dead_writers
    def get(self, datasetType: str, dataId: Mapping[str, Any]) -> Any:
        """The dataset, read by the formatter that the repository has for it.

        Raises:
            harness.exceptions.NotFoundError: there is no such dataset type, collection or dataset.
            harness.exceptions.InvalidParameterError: the ids do not fit the dataset type, or leave it open.
            harness.exceptions.IoError: its file is missing or damaged.
            harness.exceptions.RuntimeError: the file is a pickle, or the library fails.
        """
        butler, ids = self._open(), self._ids(dataId)
        with self._told(datasetType, ids):
            ref = self._find(butler, datasetType, ids)
            uri = butler.getURI(ref)
            if uri.getExtension() in PICKLES:
                raise pex.RuntimeError(
                    f"{self._name(datasetType, ids)} is a pickle ({uri}), and reading one may run any code;"
                    " have it stored in another format (docs/butler.md shows how)"
                )
            return butler.get(ref)

    @_past_dead_writers
    def read(self, datasetType: str, dataId: Mapping[str, Any], storage: str, request: ReadRequest) -> Any:
        """The dataset, its file read by a storage of the harness: pixels land in shared memory.

        Raises:
            harness.exceptions.RuntimeError: the file is not on this machine's file systems.
            as `get` and the storage do.
        """
        butler, ids = self._open(), self._ids(dataId)
        with self._told(datasetType, ids):
            uri = butler.getURI(self._find(butler, datasetType, ids))
            if not uri.isLocal:
                raise pex.RuntimeError(
                    f"{self._name(datasetType, ids)} lies at {uri}; a storage reads local files only: leave"
                    " 'storage' out"
                )
            return storage_named(storage).read(uri.ospath, request)

    def put(self, obj: Any, datasetType: str, dataId: Mapping[str, Any]) -> None:
        """Writes the dataset to the run, replacing one that is there, from a visit that is done again.

        The file appears whole, and the run's ledger is told of it if it is a local one.

        Raises:
            harness.exceptions.NotFoundError: there is no such dataset type.
            harness.exceptions.InvalidParameterError: the ids do not fit the dataset type.
            harness.exceptions.IoError: the file cannot be written.
            harness.exceptions.RuntimeError: the library fails, for example because it has no formatter for
                the object.
        """
        from lsst.daf.butler.registry import ConflictingDefinitionError

        butler, ids = self._open(), self._ids(dataId)
        with self._told(datasetType, ids):
            self._register_run(butler)
            try:
                ref = butler.put(obj, datasetType, ids, run=self.run)
            except ConflictingDefinitionError:
                old = butler.find_dataset(datasetType, ids, collections=[self.run])
                if old is None:
                    raise
                butler.pruneDatasets([old], disassociate=True, unstore=True, purge=True)
                ref = butler.put(obj, datasetType, ids, run=self.run)
            uri = butler.getURI(ref)
        if uri.isLocal:
            record_output(uri.ospath)

    def _register_run(self, butler: Any) -> None:
        """Makes the run, if it is not there. Nobody sees it by half, and nobody's death leaves it so.

        By itself the library enters a run's name and what belongs to it in two transactions. Whoever writes
        between the two, or after a process that died there, is refused.
        """
        if self._has_run:
            return
        with butler.transaction():
            butler.registry.registerRun(self.run)
        self._has_run = True

    def close(self) -> None:
        """Closes this process's connection, unless others use it; a later use opens it again."""
        key, self._key = self._key, None
        if key is None or key[0] != os.getpid():
            return
        butler, users = _butlers.pop(key)
        if users > 1:
            _butlers[key] = butler, users - 1
        else:
            butler.close()

    @_past_dead_writers
    def _open(self) -> Any:
        """This process's butler."""
        key = (os.getpid(), os.path.abspath(self.root), self._collections, self.run is not None)
        if self._key == key:
            return _butlers[key][0]
        butler, users = _butlers.get(key) or (self._opened(), 0)
        _butlers[key] = butler, users + 1
        self._key = key
        return butler

    def _opened(self) -> Any:
        from lsst.daf.butler import Butler

        try:
            return Butler.from_config(
                self.root, collections=self._collections or None, writeable=self.run is not None
            )
        except Exception as error:
            raise pex.RuntimeError(
                f"butler repository {self.root} cannot be opened: {type(error).__name__}: {error}"
            ) from error

    def _find(self, butler: Any, dataset_type: str, ids: Mapping[str, Any]) -> Any:
        ref = butler.find_dataset(dataset_type, ids, collections=self._where())
        if ref is None:
            raise pex.NotFoundError(
                f"{self._name(dataset_type, ids)} is in none of the collections {', '.join(self._where())}"
            )
        return ref

    def _where(self) -> list[str]:
        """The collections that are searched."""
        return [*self._collections, *([self.run] if self.run and self.run not in self._collections else [])]

    def _ids(self, data_id: Mapping[str, Any]) -> dict[str, Any]:
        return {**self._data_id, **data_id}

    def _name(self, dataset_type: str, ids: Mapping[str, Any]) -> str:
        words = ", ".join(f"{name}={value!r}" for name, value in ids.items()) or "no ids"
        return f"dataset '{dataset_type}' with {words} of butler repository {self.root}"

    @contextlib.contextmanager
    def _told(self, dataset_type: str, ids: Mapping[str, Any]) -> Iterator[None]:
        """Turns errors of the library into errors of the harness that name the dataset."""
        from lsst.daf.butler import DatasetNotFoundError, MissingCollectionError, MissingDatasetTypeError
        from lsst.daf.butler.registry import DataIdError

        name = self._name(dataset_type, ids)
        try:
            yield
        except pex.Exception:
            raise
        except MissingDatasetTypeError as error:
            raise pex.NotFoundError(
                f"{name}: the repository has no such dataset type; register it: butler register-dataset-type"
                f" {self.root} {dataset_type} STORAGECLASS DIMENSION ..."
            ) from error
        except DataIdError as error:
            raise pex.InvalidParameterError(f"{name}: {_text(error)}") from error
        except (DatasetNotFoundError, MissingCollectionError) as error:
            raise pex.NotFoundError(f"{name}: {_text(error)}") from error
        except OSError as error:
            raise pex.IoError(f"{name}: {_text(error)}") from error
        except Exception as error:
            cause = f": {_text(error.__cause__)}" if error.__cause__ is not None else ""
            kind = pex.IoError if isinstance(error.__cause__, OSError) else pex.RuntimeError
            raise kind(f"{name}: {type(error).__name__}: {_text(error)}{cause}") from error


def _take_back_unfinished(root: str) -> None:
    from lsst.daf.butler import Butler

    try:
        Butler.from_config(root, writeable=True).close()
    except Exception as error:
        raise pex.RuntimeError(
            f"butler repository {root}: a process died while it wrote to the database, and what it began"
            f" cannot be taken back: {type(error).__name__}: {error}; open the repository once as somebody"
            " who may write"
        ) from error


def _text(error: BaseException) -> str:
    """The message; a KeyError quotes its own."""
    return str(error.args[0]) if isinstance(error, KeyError) and error.args else str(error)


def _is_installed() -> bool:
    try:
        return importlib.util.find_spec(LIBRARY) is not None
    except ModuleNotFoundError:
        return False
