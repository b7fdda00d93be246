from collections.abc import Callable, Iterable
from typing import Any

from harness.log.base import RecordBase

def seconds_text(seconds: int, micros: int) -> str: ...

class IndentedText:
    def __init__(self, stamp: Callable[[int], tuple[int, str]]) -> None: ...
    def text(
        self,
        base: RecordBase,
        importance: int,
        first: Callable[[RecordBase, int], str],
        middle: Callable[[RecordBase, int], str],
        comment: str,
        properties: Iterable[tuple[str, Any]],
        usage_flags: int,
    ) -> bytes: ...
