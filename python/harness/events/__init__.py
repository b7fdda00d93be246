# SPDX-License-Identifier: BSD-3-Clause
"""Events: property sets on named topics and queues, kept in a durable spool that several processes share.

`spool` holds the store, `subscription` and `queue_reader` read it, `wire` says how properties are written,
`selectors` picks events by their header; the classes of `lsst.ctrl.events` stand on top of them.
"""
