# SPDX-License-Identifier: BSD-3-Clause
# Visit and stage of records: they change in every step, and most of them reach no record.

cdef extern from "Python.h":
    long long PyLong_AsLongLongAndOverflow(object number, int* overflow) except? -1


cdef inline bint _is_int(value) except -1:
    # Whether a value is a number that is kept as one: what a property takes for an int.
    cdef int overflow = 0
    if not PyLong_CheckExact(value):
        return False
    cdef long long number = PyLong_AsLongLongAndOverflow(value, &overflow)
    return overflow == 0 and -2147483648LL <= number <= 2147483647LL


cdef unsigned long long _shapes = 0


cdef unsigned long long _next_shape() noexcept:
    global _shapes
    _shapes += 1
    return _shapes


cdef dict _present(dict numbers):
    # A copy without those that are forgotten.
    cdef dict copy = dict(numbers)
    for name, number in numbers.items():
        if number is None:
            copy.pop(name, None)
    return copy


cdef class ContextNumbers:
    """Plain numbers of a record context, which change with every step, beside its other properties.

    Both together are its state, which is made when a record asks for it: most changes reach none. While its shape is the
    same, no property has come or gone, but for numbers that are forgotten: they keep their places, as None.
    """

    def __init__(self, others):
        self._replace(others, {})

    def _replace(self, others, dict numbers):
        """Takes other properties and numbers in the place of all."""
        self._others = others
        self._numbers = numbers
        self._changes += 1
        self._shape = _next_shape()
        self._state = None

    def note(self, name, value):
        """As `set`; a number that takes the place of another one costs next to nothing."""
        self._note(name, value)

    cdef int _note(self, name, value) except -1:
        cdef PyObject* before = PyDict_GetItem(self._numbers, name)
        if before == <PyObject*> value:
            return 0
        if before == NULL or not _is_int(value):
            self.set(name, value)
        elif <object> before is None or PyLong_AsLongLong(<object> before) != PyLong_AsLongLong(value):
            self._numbers[name] = value
            self._changes += 1
            self._state = None
        return 0

    def forget(self, name):
        """As `remove`, of what `note` will set again: it costs next to nothing, and has no effect on anything else."""
        self._forget(name)

    cdef int _forget(self, name) except -1:
        cdef PyObject* before = PyDict_GetItem(self._numbers, name)
        if before != NULL and <object> before is not None:
            self._numbers[name] = None
            self._changes += 1
            self._state = None
        return 0

    @property
    def state(self):
        """The properties of this moment, plain numbers apart; another object after each change."""
        cdef unsigned long long changes
        state = self._state
        while state is None:
            # Another thread may make a change while this one makes the state.
            changes = self._changes
            state = (self._others, _present(self._numbers))
            if changes != self._changes:
                state = None
                continue
            self._state = state
        return state

    def number(self, name):
        """A plain number, or None if the context has none of that name."""
        return self._numbers.get(name)
