from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness import _core
from harness.log.context import RecordContext
from harness.log.destinations import LogDestination
from harness.log.record import LogRecord
from harness.properties import PropertySet

def generation() -> int: ...
def seconds_text(seconds: int, micros: int) -> str: ...
def know_general_way(
    log_class: type[LogState], stamp: Callable[[int], tuple[int, str]], usage_names: Iterable[str]
) -> None: ...

class ContextNumbers:
    def __init__(self, others: PropertySet) -> None: ...
    def _replace(self, others: PropertySet, numbers: dict[str, int]) -> None: ...
    def note(self, name: str, value: Any) -> None: ...
    @property
    def state(self) -> tuple[PropertySet, dict[str, int]]: ...
    def number(self, name: str) -> int | None: ...

class FloodCounts:
    _limit: int
    _context: ContextNumbers
    _seen_now: list[int] | None
    _visit_now: int | None

class FileState:
    _threshold: int
    _console_threshold: int | None
    _encode: Callable[[LogRecord], bytes | None] | None
    _guard: Any
    _wake: Callable[[], object]
    _rank: int
    _writes_plain: bool
    @property
    def _ring(self) -> _core.LogRing | None: ...
    def _use_ring(self, ring: _core.LogRing | None) -> None: ...
    def _is_here(self) -> bool: ...
    def _become(self, other: FileState) -> None: ...

class ListensByLogging:
    _threshold: int
    def _ask(self, level_of: Callable[[int], int], listens: Callable[[Any], bool]) -> None: ...
    def wants_none(self, name: str, importance: int) -> bool: ...

class LogState:
    _destinations: list[LogDestination]
    _preamble: Any
    _base: Any
    _passes: int
    context: RecordContext
    def log(
        self, importance: int, message: Any, properties: PropertySet | Mapping[str, Any] | None = None
    ) -> None: ...
    def send_plain(
        self, importance: int, text: str, properties: Iterable[tuple[str, Any]] = (), usage: int = 0
    ) -> bool: ...
    def _become(self, other: LogState) -> None: ...

class BlockMarks:
    def __init__(self, log: LogState) -> None: ...
    @property
    def log(self) -> Any: ...
    def mark(self, block: str, status: str, importance: int, what: str, stage: str = "") -> None: ...
