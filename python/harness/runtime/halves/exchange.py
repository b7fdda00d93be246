# SPDX-License-Identifier: BSD-3-Clause
"""Slices exchange what they mark shareable: each takes what its neighbours offered before a stage.

A slice offers at the end of the stage before; the master releases a stage when all have arrived. So nothing
is waited for here, and nobody can hang.
"""

from __future__ import annotations

import os

from harness import _core
from harness.clipboard import Clipboard, Pending
from harness.errors import TransportError
from harness.runtime.configuration.config import PipelineConfig
from harness.runtime.configuration.topology import Topology
from harness.runtime.halves.stray_forks import end_if_stray
from harness.transport import Transport
from harness.transport.entry import Entry

ACROSS_AUDIENCE = 2
"""An offered value stays on its maker's clipboard, so that a receiver is never the only one."""


class Exchange:
    """One slice's side of the exchanges of a run. Made by `make_exchange`."""

    def __init__(
        self, run: _core.Run, config: PipelineConfig, topology: Topology, rank: int, transport: Transport
    ) -> None:
        self._run = run
        self._config = config
        self._rank = rank
        self._transport = transport
        self._pid = os.getpid()
        self._receives_from = topology.receives_from(rank)
        self._partners = sorted({*self._receives_from, *topology.sends_to(rank)})
        self._delivered: dict[int, list[tuple[str, Pending]]] = {}

    def offer(self, clipboard: Clipboard, after: int) -> None:
        """Offers all that is marked shareable, if the stage behind stage `after` begins with an exchange."""
        if after + 1 in self._config.exchanges:
            manifest = self._transport.offer(clipboard)
            # What is pickled has code of its own, which may have forked.
            end_if_stray(self._pid)
            self._run.set_across_manifest(self._rank, after + 1, *manifest)

    def offer_nothing(self, after: int) -> None:
        """Takes part in the next exchange as a slice does that has failed in this visit."""
        if after + 1 in self._config.exchanges:
            self._run.set_across_manifest(self._rank, after + 1, 0, 0)

    def take(self, clipboard: Clipboard, stage: int) -> None:
        """Puts what the neighbours offered before `stage` on the clipboard, as `<key>-<rank>`.

        Raises:
            TransportError: this slice and a partner mark different keys; the message names both.
        """
        if stage not in self._config.exchanges:
            return
        offers = {rank: self._read(rank, stage) for rank in {self._rank, *self._partners}}
        own = offers[self._rank]
        assert own is not None, "who has failed does not take"
        self._require_equal_keys(stage, own, offers)
        for rank in self._receives_from:
            # A slice that has failed has nothing to give: its neighbours lack its keys, those of an earlier
            # exchange too.
            entries = offers[rank]
            if entries is None:
                self._withdraw(rank, clipboard)
            else:
                self._deliver(rank, entries, clipboard)

    def delivered(self) -> list[tuple[str, Pending]]:
        """What the last exchange brought, by key."""
        return [item for items in self._delivered.values() for item in items]

    def _read(self, rank: int, stage: int) -> list[Entry] | None:
        manifest = self._run.across_manifest(rank, stage)
        return self._transport.read(manifest) if manifest[1] else None

    def _require_equal_keys(
        self, stage: int, own: list[Entry], offers: dict[int, list[Entry] | None]
    ) -> None:
        marked = {entry.key for entry in own}
        for rank in self._partners:
            theirs = offers[rank]
            if theirs is None or {entry.key for entry in theirs} == marked:
                continue
            name = self._config.stages[stage - 1].name
            raise TransportError(
                f"the exchange before stage {stage} ({name}): slices {self._rank} and {rank} are neighbours,"
                f" but mark different keys shareable: {_describe(self._rank, own)};"
                f" {_describe(rank, theirs)}. Every slice that takes part must mark the same keys"
            )

    def _deliver(self, rank: int, entries: list[Entry], clipboard: Clipboard) -> None:
        delivered = self._delivered[rank] = []

        def accept(key: str, pending: Pending) -> None:
            clipboard._receive_from(key, rank, pending)
            delivered.append((f"{key}-{rank}", pending))

        self._transport.deliver(entries, ACROSS_AUDIENCE, accept)

    def _withdraw(self, rank: int, clipboard: Clipboard) -> None:
        for key, pending in self._delivered.pop(rank, []):
            clipboard._withdraw(key, pending)


def make_exchange(
    run: _core.Run, config: PipelineConfig, rank: int, transport: Transport
) -> Exchange | None:
    """The exchanges of slice `rank`; `None` where the policy asks for none."""
    if config.topology is None or not config.exchanges:
        return None
    return Exchange(run, config, config.topology, rank, transport)


def _describe(rank: int, entries: list[Entry]) -> str:
    keys = ", ".join(repr(entry.key) for entry in entries)
    return f"slice {rank} marks {keys or 'none'}"
