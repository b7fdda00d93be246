import mmap
from typing import Any

from harness._core import _MasterHooks
from harness._crossing import Crossing
from harness._records import BlockMarks, ContextNumbers
from harness.clipboard import Clipboard

class Queue:
    def __init__(self) -> None: ...
    def addDataset(self, clipboard: Clipboard | None) -> None: ...
    def getNextDataset(self) -> Clipboard | None: ...
    def element(self) -> Clipboard | None: ...
    def size(self) -> int: ...

def close_all(queues: list[Queue]) -> None: ...
def apply_preprocess(stage: Any, inputQueue: Queue, base_methods: frozenset[Any]) -> Queue: ...
def apply_postprocess(
    stage: Any, between: Queue, outputQueue: Queue, base_methods: frozenset[Any]
) -> None: ...
def apply_process(stage: Any, inputQueue: Queue, outputQueue: Queue) -> None: ...

class ProcessState:
    worker: Any
    log: Any

process_state: ProcessState

class HalfState:
    visit: int
    stage_number: int
    error_flagged: bool
    in_visit: bool
    foreign: Any
    queues: list[Queue]
    stages: list[Any]
    log: Any
    blocks: BlockMarks
    root_log: Any
    notes: Any
    rank: int
    crossing: Crossing
    replaces: bool
    exchange: Any
    received: list[Any]
    received_across: list[Any]
    _started: Any
    _has_several: bool
    _unprepared: bool
    _generation: int
    _numbers: ContextNumbers
    _more: bool
    _opened: bool
    _has_no_more: bool
    _published: list[Any]
    _told: tuple[int, int]
    _first: int
    _reached: int
    _between: Queue | None
    _event: Any
    published: list[Any]
    def start(self, visit: int) -> int: ...
    def start_slice(self, visit: int) -> int: ...
    def leave_stages(self) -> None: ...
    def look_at(self, down: memoryview, up: memoryview, clipboard_bytes: memoryview) -> None: ...

class Already:
    def __init__(self, error: BaseException | None = None) -> None: ...
    def __call__(self, *arguments: Any) -> Any: ...

class SliceSteps:
    def __init__(
        self, hooks: Any, slices: dict[int, Any], base_class: type, output: OutputWatch | None
    ) -> None: ...
    def run_step(self, rank: int, visit: int, step: int, more: bool = False) -> int: ...
    def told(self) -> None: ...

class MasterSteps(_MasterHooks):
    def __init__(self, half: HalfState, base_class: type) -> None: ...

class ProgressPage:
    def __init__(self, page: mmap.mmap) -> None: ...
    def turn_to(self, slot: int) -> None: ...
    def note(self, visit: int, stage: int) -> None: ...
    def release(self) -> None: ...

class OutputWatch:
    @property
    def said(self) -> list[bool]: ...
    def __init__(self, said: list[bool]) -> None: ...
    def has_printed(self) -> bool: ...
    def see(self, extent: tuple[int, int]) -> None: ...
