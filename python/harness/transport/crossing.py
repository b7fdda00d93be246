# SPDX-License-Identifier: BSD-3-Clause
"""Publishing what a clipboard marks shareable, and receiving it in another process.

Publication happens at the crossing. A plain array crosses as a descriptor of the block it lives in; one in
private memory is copied into a block once, and counted. Any other object crosses as a protocol 5 pickle whose
arrays are such descriptors. Blocks are rooted in their visit, so that they live until it is retired.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from harness import _core
from harness._crossing import Crossing
from harness.clipboard import Clipboard, Pending
from harness.errors import ArenaFull, TransportError
from harness.transport.arriving import Receiver, Sent
from harness.transport.entry import Entry
from harness.transport.placing import INLINE_BYTES, Placer
from harness.transport.policy import SharePolicy
from harness.transport.reducing import pickle_canvas, pickle_value

__all__ = ["NO_MANIFEST", "Manifest", "Transport"]

Manifest = tuple[int, int]
"""Where a manifest lies: block reference and length; length 0 means that there is none."""

NO_MANIFEST: Manifest = (0, 0)

PUBLISHED = 0
"""The slot of what goes up: read before its writer goes on."""

BOUND = 1
"""The slot of the list of manifests, where a writer has published more than once before it is read."""


class Transport:
    """One rank's end of the crossing, for the visits of one slot of the run's tables.

    Not thread-safe: used by the thread that runs stage code.
    """

    def __init__(
        self,
        run: _core.Run,
        policy: SharePolicy,
        audience: int,
        visit_slot: int = 0,
        *,
        keeps_manifests: bool = False,
        arriving: int = 2,
    ) -> None:
        """`audience` clipboards receive what is published here; if it is kept, more than once. What arrives
        here by the short way was received by `arriving` clipboards.
        """
        self._arena = run.arena
        self._slot = None if keeps_manifests else PUBLISHED
        self._receiver = Receiver(run)
        self.notes = self._receiver.notes
        self._placer = Placer(run, policy, self._receiver, audience > 1, visit_slot)
        self.crossing = Crossing(
            run,
            self._receiver,
            self._placer.copies,
            self._placer.remember if audience > 1 else None,
            keeps_manifests,
            arriving,
            not policy.snapshot,
            not policy.strict,
        )
        """The short way, for arrays that need nothing but a descriptor."""

    def begin_visit(self) -> None:
        """Forgets what belonged to the last visit's blocks."""
        self.crossing.begin_visit()

    def end_visit(self) -> None:
        """Lets go of what was written for others. Call it when all have read it."""
        self._placer.end_visit()
        self.crossing.end_visit()

    # --- publishing

    def publish(self, clipboard: Clipboard, *, more: bool = False) -> tuple[Manifest, list[Entry]]:
        """Publishes what became shareable since the last call.

        `more`: another publication may come before this one is read, see `bind` and `let_stand`. Returns
        where the manifest lies, and its entries. What was published is read-only for its maker from now on,
        unless the policy asks for snapshots. Raises `ArenaFull` or `TransportError`; everything is then as
        unpublished as before.
        """
        if not clipboard._has_unpublished() and not self.notes.are_there:
            return NO_MANIFEST, []
        notes = self.notes.entries() if self.notes.are_there else []
        plain = None if notes else self.crossing.publish(clipboard, more)
        if plain is not None:
            return plain[0], [Entry._make(array.fields()) for array in plain[1]]
        items = clipboard._unpublished_items()
        if not items and not notes:
            return NO_MANIFEST, []
        _refuse_equal_names(clipboard)
        slot = None if more else self._slot
        manifest, entries = self._write(clipboard, items, notes, slot)
        self._receiver.notes.clear()
        sent = {item[0]: Sent(self._receiver, entry) for item, entry in zip(items, entries, strict=False)}
        clipboard._published(sent)
        return manifest, entries

    def bind(self, batches: list[tuple[int, Manifest]]) -> Manifest:
        """Makes one manifest of several, each with the stage after which it was published.

        The room for it is kept: a call with fewer batches before makes sure that this one finds it. Raises
        `ArenaFull`.
        """
        entries = [
            Entry(str(stage), _core.ENTRY_BATCH, 0, b"", 0, 0, [(ref, 0, length)])
            for stage, (ref, length) in batches
        ]
        return self._placer.write_manifest(_core.encode_manifest(entries), BOUND)

    def let_stand(self) -> None:
        """The next list of manifests gets a place of its own: nobody has read the last one yet."""
        self._placer.let_stand(BOUND)

    def publish_notes(self) -> Manifest:
        """Publishes byte counts alone: of a step that failed, or whose clipboard is gone."""
        notes = self._receiver.notes.entries()
        if not notes:
            return NO_MANIFEST
        try:
            manifest = self._placer.write_manifest(_core.encode_manifest(notes), self._slot)
        except ArenaFull:
            # They are told with the next publication then.
            return NO_MANIFEST
        self._receiver.notes.clear()
        return manifest

    def has_notes(self) -> bool:
        """Whether `take_notes` has any."""
        return self.notes.are_there

    def take_notes(self) -> list[Entry]:
        """The byte counts that would go with the next publication, for the process that keeps the tally."""
        if not self.notes.are_there:
            return []
        notes = self._receiver.notes.entries()
        self._receiver.notes.clear()
        return notes

    def publish_again(self, clipboard: Clipboard) -> None:
        """Treats what became shareable as published: by a process that died, whose publication stands."""
        items = clipboard._unpublished_items()
        clipboard._published({key: Sent(self._receiver, _published_before(key)) for key, _, _ in items})
        self._placer.seal_items(items)

    def offer(self, clipboard: Clipboard) -> Manifest:
        """Publishes all that is marked shareable, crossed or not, for neighbours before the next stage.

        There is a manifest even if it is empty: who has nothing marked says so. Raises as `publish`.
        """
        _refuse_equal_names(clipboard)
        manifest, _ = self._write(clipboard, clipboard._marked_items(), [], None)
        return manifest

    def _write(
        self, clipboard: Clipboard, items: list[tuple[Any, Any, bool]], notes: list[Entry], slot: int | None
    ) -> tuple[Manifest, list[Entry]]:
        """A manifest of items (key, value, is a canvas), then notes; seals the items once it is written."""
        entries: list[Entry] = []
        self._placer.begin_publication()
        try:
            for key, value, canvas in items:
                self._placer.begin_item(_name(key))
                if canvas:
                    entries.append(self._canvas_entry(clipboard, key, value))
                else:
                    entries.append(self._entry(_name(key), value))
                self._placer.end_item()
            entries += notes
            manifest = self._placer.write_manifest(_core.encode_manifest(entries), slot)
        except Exception:
            self._abandon(entries[: len(items)])
            raise
        self._placer.seal(clipboard._canvas_values())
        return manifest, entries

    def _abandon(self, entries: list[Entry]) -> None:
        """Keeps the byte counts of a publication that failed at the item behind `entries`, or after all."""
        for entry in entries:
            self._receiver.notes.add(entry.key, entry.bytes_copied, entry.bytes_shared)
        self._placer.abandon(self._receiver.notes)

    def _entry(self, key: str, value: Any) -> Entry:
        placer = self._placer
        if _is_plain_array(value) and value.nbytes >= INLINE_BYTES:
            place = placer.place(value, value)
            if place.descriptor is not None:
                kind = value.dtype.str.encode()
                return Entry(
                    key, _core.ENTRY_ARRAY, self._flags(), kind, placer.copied, placer.shared,
                    [place.descriptor], place.first, value.shape, place.strides,
                )
        stream, buffers = pickle_value(key, value, placer)
        return Entry(
            key, _core.ENTRY_PICKLE, self._flags(), stream, placer.copied, placer.shared, buffers
        )

    def _flags(self) -> int:
        return _core.ENTRY_RELAYED if self._placer.relayed else 0

    def _canvas_entry(self, clipboard: Clipboard, key: Any, value: Any) -> Entry:
        placer = self._placer
        place, shared = placer.place_canvas(value)
        if shared is not value:
            clipboard._move(key, shared)
        assert place.descriptor is not None, "a canvas always has a block"
        kind, payload = _core.ENTRY_ARRAY, value.dtype.str.encode()
        if not _is_plain_array(value):
            kind, payload = _core.ENTRY_PICKLE, pickle_canvas(value, place)
        return Entry(
            str(key), kind, _core.ENTRY_WRITEABLE, payload, placer.copied, placer.shared, [place.descriptor],
            place.first, value.shape, place.strides,
        )

    # --- receiving

    def read(self, manifest: Manifest) -> list[Entry]:
        """The entries of a manifest that another process published; nothing is built yet."""
        ref, length = manifest
        if length == 0:
            return []
        return [Entry._make(fields) for fields in _core.decode_manifest(self._arena, ref, length)]

    def read_batches(self, manifest: Manifest, stage: int) -> list[tuple[int, list[Entry]]]:
        """The entries with the stage after which they went: `stage`, if the manifest does not say."""
        entries = self.read(manifest)
        if not entries or entries[0].kind != _core.ENTRY_BATCH:
            return [(stage, entries)]
        places = [(int(entry.key), entry.buffers[0]) for entry in entries]
        return [(number, self.read((ref, length))) for number, (ref, _, length) in places]

    def deliver(
        self, entries: list[Entry], audience: int, accept: Callable[[str, Pending], None]
    ) -> None:
        """Hands each entry to `accept(key, pending)`; `audience` clipboards receive the same entries."""
        for entry in entries:
            pending = self._receiver.deliver(entry, audience)
            if pending is not None:
                accept(entry.key, pending)

    def rebuild(self, manifest: Manifest) -> list[tuple[str, Any]]:
        """The values of a manifest whose visit has not ended, as they are now; not for stages."""
        received = [(entry.key, self._receiver.deliver(entry, 2)) for entry in self.read(manifest)]
        return [(key, pending.materialise()) for key, pending in received if pending is not None]


def _published_before(key: Any) -> Entry:
    return Entry(str(key), _core.ENTRY_NOTE, 0, b"", 0, 0, [])


def _name(key: Any) -> str:
    """The key as it arrives. Raises `TransportError` for one that no process could be told."""
    name = str(key)
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise TransportError(
            f"clipboard key {name!r}: it cannot cross: keys are text that UTF-8 can write ({error.reason})"
        ) from error
    return name


def _refuse_equal_names(clipboard: Clipboard) -> None:
    """Raises `TransportError` where two keys marked shareable, such as 1 and "1", would arrive as one."""
    if clipboard._all_marks_are_text():
        return
    keys: dict[str, Any] = {}
    for key in clipboard.getSharedKeys():
        other = keys.setdefault(_name(key), key)
        if other is not key:
            raise TransportError(
                f"clipboard keys {other!r} ({type(other).__name__}) and {key!r} ({type(key).__name__}): both"
                f" are marked shareable and would arrive as {_name(key)!r}, one in the place of the other;"
                " rename one of them, or do not share it"
            )


def _is_plain_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    if numpy is None or type(value) is not numpy.ndarray:
        return False
    kind = value.dtype
    if kind.names is not None or kind.hasobject or kind.metadata:
        return False
    # A dtype that its own short name does not give back (one registered by an extension, say) needs a pickle.
    return bool(numpy.dtype(kind.str) == kind)
