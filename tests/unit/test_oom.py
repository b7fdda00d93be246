# SPDX-License-Identifier: BSD-3-Clause
"""The OOM killer's counters: of a control group of either version, of the machine, and of neither."""

import pytest
from harness.runtime.processes.oom import OomWatch, describe_kill


def machine(root, membership, files):
    for name, text in {"proc/self/cgroup": membership, **files}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


VERSION_2 = ("0::/user/job7\n", "sys/fs/cgroup/user/job7/memory.events", "low 0\noom 3\noom_kill {}\n")
VERSION_1 = (
    "5:cpu:/\n4:memory,hugetlb:/job7\n1:name=systemd:/\n",
    "sys/fs/cgroup/memory/job7/memory.oom_control",
    "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n",
)
SEEN_FROM_INSIDE = ("0::/../host/path\n", "sys/fs/cgroup/memory.events", "oom 3\noom_kill {}\n")
MACHINE = ("0::/\n", "proc/vmstat", "pgfault 12\noom_kill {}\n")


@pytest.mark.parametrize("kind", [VERSION_2, VERSION_1, SEEN_FROM_INSIDE, MACHINE])
def test_kills_since_the_last_look_are_counted_once(tmp_path, kind):
    membership, name, text = kind
    machine(tmp_path, membership, {"proc/vmstat": "oom_kill 100\n", name: text.format(4)})
    watch = OomWatch(tmp_path)
    assert watch.new_kills() == 0
    (tmp_path / name).write_text(text.format(6))
    assert watch.new_kills() == 2
    assert watch.new_kills() == 0


def test_kills_of_other_groups_are_not_counted(tmp_path):
    membership, name, text = VERSION_2
    machine(tmp_path, membership, {"proc/vmstat": "oom_kill 1\n", name: text.format(0)})
    watch = OomWatch(tmp_path)
    (tmp_path / "proc/vmstat").write_text("oom_kill 2\n")
    assert watch.new_kills() == 0


def test_a_kernel_that_does_not_count_is_said_not_to(tmp_path):
    machine(tmp_path, "", {"proc/vmstat": "pgfault 1\n"})
    assert OomWatch(tmp_path).new_kills() is None
    assert OomWatch(tmp_path / "nowhere").new_kills() is None


def test_the_words_tell_one_from_the_other():
    assert "from the OOM killer" in describe_kill(1)
    assert describe_kill(0) == ""
    assert "does not tell" in describe_kill(None)
