# SPDX-License-Identifier: BSD-3-Clause
"""Builds the compiled part: `python -m harness.examples.compiled_stage.build FOLDER`.

Two commands: Cython, which finds the clipboard's declarations in the installed package, and the C compiler.
In a package of your own let its build system run them (scikit-build-core, meson-python, setuptools).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

SOURCE = Path(__file__).with_name("_clip.pyx")


def build(folder: Path) -> Path:
    """Writes the extension module into `folder`, and returns its path.

    Raises `subprocess.CalledProcessError` when Cython or the compiler fails or Cython is missing,
    `FileNotFoundError` when there is no compiler.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generated = folder / "_clip.c"
    module = folder / f"_clip{sysconfig.get_config_var('EXT_SUFFIX')}"
    subprocess.run([sys.executable, "-m", "cython", "-3", SOURCE, "-o", generated], check=True)
    compiler = shlex.split(os.environ.get("CC") or "cc")
    flags = ["-O3", "-fPIC", "-shared", f"-I{sysconfig.get_path('include')}"]
    subprocess.run([*compiler, *flags, generated, "-o", module], check=True)
    return module


if __name__ == "__main__":
    print(build(Path(sys.argv[1] if len(sys.argv) > 1 else ".")))
