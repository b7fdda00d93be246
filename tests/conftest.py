# SPDX-License-Identifier: BSD-3-Clause
"""Every test leaves the machine as it found it: without new shared memory, child processes or open files.

The watchdog is pytest's faulthandler_timeout (pyproject.toml): it prints all stacks and ends the session.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator

import pytest
from activemq import ActiveMQ, why_not
from harness.pytest_plugin.holdings import Holdings, left_behind

BEFORE = pytest.StashKey[Holdings]()
FAILED = pytest.StashKey[bool]()


def pytest_configure(config: pytest.Config) -> None:
    """Signals that a shell has this session ignore, as for jobs in its background, reach what tests start."""
    for number, usual in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, signal.SIG_DFL)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, usual)


@pytest.fixture(autouse=True)
def _holdings_before(request: pytest.FixtureRequest) -> None:
    request.node.stash[BEFORE] = Holdings.now()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Notes that the test failed: what its traceback keeps alive is no leak."""
    try:
        yield
    except BaseException:
        item.stash[FAILED] = True
        raise


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fails the test when something is left after its last fixture and its last reference are gone.

    Last, hence within pytest's capture of the output: its files are then the same as before the test.
    """
    yield
    before = item.stash.get(BEFORE, None)
    if before is None or FAILED in item.stash:
        return
    item.funcargs.clear()
    leaked = left_behind(before)
    if leaked:
        pytest.fail("the test left behind\n  " + "\n  ".join(leaked), pytrace=False)


@pytest.fixture(scope="session")
def activemq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ActiveMQ]:
    """A broker of this session's own, running; tests may kill it, and start it again."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    pytest.importorskip("stomp", reason="stomp.py is not installed (pip install 'pex-harness[stomp]')")
    broker = ActiveMQ(tmp_path_factory.mktemp("activemq"))
    broker.start()
    yield broker
    broker.close()


@pytest.fixture
def broker(activemq: ActiveMQ, monkeypatch: pytest.MonkeyPatch) -> ActiveMQ:
    """The running broker, with the login and the patience of this test in the environment."""
    monkeypatch.setenv("PEX_HARNESS_BROKER_USER", activemq.user)
    monkeypatch.setenv("PEX_HARNESS_BROKER_PASSWORD", activemq.password)
    monkeypatch.setenv("PEX_HARNESS_BROKER_WAIT", "60")
    if not activemq.runs():
        activemq.start()
    return activemq
