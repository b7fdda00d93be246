# SPDX-License-Identifier: BSD-3-Clause
"""A pytest plugin for stage authors: the fixture `stage_tester`, and tests that leave nothing behind.

pytest loads it wherever this package is installed. Other tests than those that use `stage_tester` are as they
were, unless ``--pex-leak-check all`` is given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from harness.pytest_plugin.holdings import Holdings, left_behind

if TYPE_CHECKING:
    from harness.stage import Stage
    from harness.tester import SimpleStageTester

LEAK_CHECKS = ("stages", "all", "off")

_BEFORE = pytest.StashKey[Holdings]()
_FAILED = pytest.StashKey[bool]()


def _wrapper(**options: Any) -> Callable[[Any], Any]:
    """`pytest.hookimpl` for a wrapper. A pytest that is too old for one runs its tests all the same."""
    try:
        return pytest.hookimpl(wrapper=True, **options)
    except TypeError:
        return lambda function: None


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the plugin."""
    group = parser.getgroup("pex-harness", "pipeline stages (pex-harness)")
    group.addoption(
        "--pex-leak-check",
        choices=LEAK_CHECKS,
        default="stages",
        help="fail tests that leave shared memory, processes or open files behind: those that use"
        " stage_tester (stages, the default), every test (all), or none (off)",
    )
    group.addoption(
        "--pex-log-verbosity",
        metavar="LEV",
        default=None,
        help="verbosity of the logs of stages: a name such as debug, or an integer (default: info)",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuses a verbosity that means nothing before any test runs."""
    level = config.getoption("--pex-log-verbosity")
    if level is None:
        return
    from harness.log.verbosity import UsageError, verbosity2threshold

    try:
        verbosity2threshold(level)
    except UsageError as error:
        raise pytest.UsageError(f"--pex-log-verbosity: {error}") from None


class StageTesterFactory:
    """What the fixture `stage_tester` is: call it to get a `SimpleStageTester`."""

    def __call__(self, stage: Stage | None = None, *arguments: Any, **options: Any) -> SimpleStageTester:
        """A tester for a ready `Stage`; arguments as those of `SimpleStageTester`."""
        from harness.tester import SimpleStageTester

        return SimpleStageTester(stage, *arguments, **options)

    def create(self, policy: Any, *arguments: Any, **options: Any) -> SimpleStageTester:
        """A tester from a policy and classes; arguments as those of `harness.tester.create`."""
        from harness.tester import create

        return create(policy, *arguments, **options)


@pytest.fixture
def stage_tester(request: pytest.FixtureRequest) -> Iterator[StageTesterFactory]:
    """Makes testers of pipeline stages: ``stage_tester(MyStage(policy)).runWorker({"image": image})``.

    Each test has a default log of its own, whose records `caplog` gets, too. A test that uses this fixture
    fails if it leaves shared memory, processes or open files behind (``--pex-leak-check``).
    """
    from harness.log import ScreenLog, forward_to_logging, set_default_log
    from harness.log.verbosity import verbosity2threshold

    threshold = verbosity2threshold(request.config.getoption("--pex-log-verbosity"), 0)
    assert threshold is not None
    log = ScreenLog(threshold=threshold)
    log.setThreshold(threshold)
    forward_to_logging(log)
    set_default_log(log)
    yield StageTesterFactory()
    set_default_log(None)


@pytest.fixture(autouse=True)
def _pex_holdings(request: pytest.FixtureRequest) -> None:
    """Notes what the process holds before the test, if the test is to be checked."""
    mode = request.config.getoption("--pex-leak-check")
    if mode == "all" or (mode == "stages" and "stage_tester" in request.fixturenames):
        request.node.stash[_BEFORE] = Holdings.now()


@_wrapper()
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Notes that the test failed: what its traceback keeps alive is no leak."""
    try:
        yield
    except BaseException:
        item.stash[_FAILED] = True
        raise


@_wrapper(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fails the test when something is left after its last fixture and its last reference are gone."""
    yield
    before = item.stash.get(_BEFORE, None)
    if before is None or _FAILED in item.stash:
        return
    funcargs: dict[str, Any] = getattr(item, "funcargs", {})
    funcargs.clear()
    leaked = left_behind(before)
    if leaked:
        pytest.fail("the test left behind\n  " + "\n  ".join(leaked), pytrace=False)
