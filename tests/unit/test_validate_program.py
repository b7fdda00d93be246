# SPDX-License-Identifier: BSD-3-Clause
"""validate.py says by its exit code whether a policy is valid, and on standard error why not."""

from __future__ import annotations

import pytest
from harness.cli.validate import main

pytestmark = pytest.mark.contract("14.3.validate")

DICTIONARY = """
definitions: {
    level: { type: double
             minOccurs: 1 }
    mode: { type: string
            default: "fast"
            allowed: { value: "fast" "exact" } }
    kernel: { type: policy
              dictionaryFile: "Kernel.paf" }
}
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    (tmp_path / "a" / "Warp.paf").write_text(DICTIONARY)
    (tmp_path / "b" / "Kernel.paf").write_text("definitions: { width: { type: int } }\n")
    (tmp_path / "b" / "kernel.paf").write_text("width: 5\n")
    (tmp_path / "good.paf").write_text("level: 1.5\nkernel: @kernel.paf\n")
    (tmp_path / "bad.paf").write_text("level: 1\nmode: slow\nmodus: 3\n")
    (tmp_path / "defaults.paf").write_text("level: 2.0\n")
    (tmp_path / "empty.paf").write_text("mode: exact\n")


def test_a_valid_policy_ends_with_0(files, capsys):
    assert main(["good.paf", "a/Warp.paf", "-l", "b", "-L", "b"]) == 0
    assert main(["-d", "a/Warp.paf", "-p", "good.paf", "-l", "b", "-L", "b", "-v"]) == 0
    out = capsys.readouterr()
    assert out.err == "" and "good.paf: 1 files loaded" in out.out and "good.paf is valid" in out.out


def test_all_errors_are_told_and_end_with_2(files, capsys):
    assert main(["bad.paf", "a/Warp.paf", "-L", "b"]) == 2
    told = capsys.readouterr().err
    assert all(name in told for name in ("level", "mode", "modus"))


def test_defaults_of_a_file_count(files, capsys):
    assert main(["empty.paf", "a/Warp.paf", "-L", "b"]) == 2
    assert main(["empty.paf", "a/Warp.paf", "-L", "b", "-D", "defaults.paf"]) == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nope.paf", "a/Warp.paf", "-L", "b"], "nope.paf"),
        (["good.paf", "a/Warp.paf"], "Kernel.paf"),
        (["good.paf", "good.paf"], "definitions"),
    ],
)
def test_files_that_will_not_do_end_with_2(files, capsys, words, told):
    assert main(words) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize("words", [["good.paf"], ["a", "b", "c"], ["--nonsense"]])
def test_wrong_arguments_end_with_2(files, capsys, words):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2
