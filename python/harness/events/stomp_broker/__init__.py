# SPDX-License-Identifier: BSD-3-Clause
"""Message brokers over STOMP 1.2; ActiveMQ is the reference.

`transport` is one connection of stomp.py, `link` keeps one up, `publisher` and `source` send and receive over
links of their own, `frames` says how an event is written, and `broker` is what the rest sees.
"""
