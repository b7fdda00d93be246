# SPDX-License-Identifier: BSD-3-Clause
"""Where a run reads and writes: its run directory, and the location map of its templates."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import ConfigError
from harness.runtime.configuration.config import PipelineConfig


def require_run_id(run_id: str, *, names_directory: bool) -> None:
    """Raises `ConfigError` for a run id that is no name, or is to name a directory and leads elsewhere."""
    parts = Path(run_id).parts
    if not run_id.strip():
        raise ConfigError(f"run id {run_id!r}: expected a name")
    if names_directory and (not parts or ".." in parts):
        raise ConfigError(
            f"run id {run_id!r}: expected the name of a run directory of its own, saw a way to another;"
            " choose another run id, or name the directory with --run-dir"
        )


def default_run_dir(config: PipelineConfig, run_id: str) -> Path:
    """The run directory: what the `dir` policy says, else `./<run id>`."""
    if config.dir_policy is None:
        return Path(run_id)
    from harness.directories import Directories

    return Path(Directories(config.dir_policy, config.short_name, run_id).getDefaultRunDir())


def log_directory(config: PipelineConfig, run_dir: Path, asked: str | None, *, honours_local: bool) -> Path:
    """Where log files lie: where was asked for; with `localLogMode` here; else in the run directory."""
    if asked is not None:
        return Path(asked)
    return Path() if config.local_log_mode and honours_local else run_dir / "log"


def set_location_map(config: PipelineConfig, run_id: str) -> None:
    """Makes the named directories and the database's url known to location templates."""
    from harness.locations import LogicalLocation
    from harness.properties import PropertySet

    places = PropertySet()
    if config.dir_policy is not None:
        from harness.directories import Directories

        places = Directories(config.dir_policy, config.short_name, run_id).getDirs()
    if config.database_url is not None:
        places.set("dbUrl", config.database_url)
    LogicalLocation.setLocationMap(places)


def make_directory(folder: Path) -> None:
    """Makes a directory that the run writes to. Raises `ConfigError` when it can't be made or written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise ConfigError(
            f"directory {folder}: expected a directory, saw a file; choose another with --run-dir"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"making directory {folder}: {error.strerror}; choose another with --run-dir"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ConfigError(f"directory {folder}: not writable by this user; choose another with --run-dir")
