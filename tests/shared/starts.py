# SPDX-License-Identifier: BSD-3-Clause
"""Pieces of stage modules: how their process was started, and a module that keeps it from being forked."""

SAYS_WHICH = """
    def starts():
        words = open("/proc/self/cmdline").read().split("\\0")
        return next((word for word in ("nursery", "worker") if f'"who": "{word}"' in " ".join(words)), "fork")
"""
THREADED = """
    import threading
    threading.Thread(target=threading.Event().wait, name="prefetch", daemon=True).start()
"""
