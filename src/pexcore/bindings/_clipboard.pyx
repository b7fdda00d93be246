# cython: language_level=3, boundscheck=False, wraparound=False
# SPDX-License-Identifier: BSD-3-Clause
"""The clipboard: a private dictionary of one Pipeline or Slice, with a shareable mark per key."""


cdef class Pending:
    """A value that has arrived from another process and is built at its first use.

    Subclasses implement `materialise()`, which returns the value or raises.
    """

    def materialise(self):
        raise NotImplementedError("materialise")


cdef class Clipboard:
    """Key/value container handed from stage to stage inside one Pipeline or one Slice.

    Values are arbitrary objects, keys are strings by convention. A key may be marked shareable: its value then
    crosses to the other side (master to slices before `process`, slices to master before `postprocess`) once per
    `put`, or once per change of the mark. Values that came from another process are read-only arrays, or copies.
    """

    def __init__(self):
        self._values = {}
        self._shareable = set()
        self._unpublished = {}
        self._gathered = {}

    cdef object _settle(self, key, Pending pending):
        value = pending.materialise()
        self._values[key] = value
        return value

    cpdef put(self, key, value, bint isShareable=False):
        """Stores `value` under `key`, overwriting both an earlier value and its shareable mark."""
        self._values[key] = value
        if isShareable:
            self._shareable.add(key)
            self._unpublished[key] = None
        elif key in self._shareable:
            self._shareable.discard(key)
            self._unpublished.pop(key, None)

    cpdef get(self, key, defValue=None):
        """The value under `key`, or `defValue`; never raises for an absent key."""
        value = self._values.get(key, defValue)
        if isinstance(value, Pending):
            return self._settle(key, <Pending> value)
        return value

    cpdef getItem(self, key):
        """The value under `key`. Raises `KeyError` if it is absent."""
        value = self._values[key]
        if isinstance(value, Pending):
            return self._settle(key, <Pending> value)
        return value

    cpdef bint contains(self, key):
        """Whether there is a value under `key`."""
        return key in self._values

    has_key = contains

    def getKeys(self):
        """The keys, as a list in the order of their first `put`."""
        return list(self._values)

    keys = getKeys

    def setShared(self, key, bint isShareable):
        """Sets the shareable mark of `key`, which need not be present yet."""
        if isShareable:
            self._shareable.add(key)
            self._unpublished[key] = None
        else:
            self._shareable.discard(key)
            self._unpublished.pop(key, None)

    def getSharedKeys(self):
        """The present keys that are marked shareable, as a list."""
        return [key for key in self._values if key in self._shareable]

    def gather(self, key):
        """What the slices published under `key`, as a list in rank order; empty when none did.

        Meant for the master's clipboard before `postprocess`, where each slice's value also stands under
        `key-<rank>`.
        """
        ranks = self._gathered.get(key)
        if ranks is None:
            return []
        return [self.getItem(ranks[rank]) for rank in sorted(ranks) if ranks[rank] in self._values]

    def close(self):
        """Forgets all values and marks."""
        self._values.clear()
        self._shareable.clear()
        self._unpublished.clear()
        self._gathered.clear()

    clear = close

    def __getitem__(self, key):
        return self.getItem(key)

    def __setitem__(self, key, value):
        self.put(key, value)

    def __delitem__(self, key):
        del self._values[key]
        self._shareable.discard(key)
        self._unpublished.pop(key, None)

    def __contains__(self, key):
        return key in self._values

    def __len__(self):
        return len(self._values)

    def __bool__(self):
        # An empty clipboard is true, as it was before it had a length: `if clipboard:` asks whether there is one.
        return True

    def __iter__(self):
        return iter(list(self._values))

    def __repr__(self):
        marked = self._shareable
        names = ", ".join(f"{key!r}*" if key in marked else repr(key) for key in self._values)
        return f"<Clipboard {names}>" if names else "<Clipboard empty>"

    # --- for the transport: not part of what stages use

    def _take_unpublished(self):
        """The (key, value) pairs that became shareable since the last call and are present."""
        if not self._unpublished:
            return []
        fresh = [(key, self.getItem(key)) for key in self._unpublished if key in self._values]
        self._unpublished.clear()
        return fresh

    def _receive(self, key, value):
        """Stores what came from another process: not shareable, and never over an own value put since."""
        self._values[key] = value

    def _receive_from(self, key, int rank, value):
        """Stores what slice `rank` published under `key`."""
        name = f"{key}-{rank}"
        self._values[name] = value
        ranks = self._gathered.get(key)
        if ranks is None:
            ranks = self._gathered[key] = {}
        ranks[rank] = name

    def _settled_values(self):
        """The values that are here as objects: what has not been used yet is left out."""
        return [value for value in self._values.values() if not isinstance(value, Pending)]
