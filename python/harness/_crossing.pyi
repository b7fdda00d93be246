from collections.abc import Callable
from typing import Any

from harness._core import Run
from harness.clipboard import Clipboard, Pending

class PlainArray(Pending):
    @property
    def key(self) -> str: ...
    def fields(self) -> tuple[Any, ...]: ...
    def counts(self) -> tuple[str, int, int, int, int]: ...

class SentPlain(PlainArray): ...
class ArrivedPlain(PlainArray): ...

class Crossing:
    enabled: bool
    def __init__(
        self,
        run: Run,
        receiver: Any,
        copies: dict[Any, Any],
        remember: Callable[[Any, tuple[Any, ...]], None] | None,
        keeps: bool,
        audience: int,
        enabled: bool,
        may_copy: bool,
    ) -> None: ...
    def publish(
        self, clipboard: Clipboard, more: bool
    ) -> tuple[tuple[int, int], list[PlainArray]] | None: ...
    def begin_visit(self) -> int: ...
    def end_visit(self) -> None: ...
