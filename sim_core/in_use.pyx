"""Refuses a second thread that would spoil the first one's work on the same object.

Work that releases the GIL reads and writes an object's memory where it lies. Therefore several threads may read it at
the same time, or a single one may write it. The counters here change under the GIL alone, so they need no lock. Nobody
waits: an evaluator that asks for the searcher which called it would wait for ever.
"""


cdef class InUse:
    """Counts the readers and the writer of an object that releases the GIL. ``with in_use:`` surrounds writing.

    Args:
        name: Name of the object, for messages.

    Raises:
        RuntimeError: On entering, and from `check`: the object is in use.
    """

    def __cinit__(self, str name not None):
        self.name = name

    cdef int check(self, bint writes) except -1:
        """Raises RuntimeError if the object is being written, or if it is to be written and being read."""
        if self.written or (writes and self.readers):
            raise RuntimeError(
                f"{self.name}: in use by another thread, or by the call that led to this one; "
                "expected one for each thread, or one thread after the other"
            )
        return 0

    def __enter__(self):
        self.check(True)
        self.written = True

    def __exit__(self, *exception):
        self.written = False


cdef class Reading:
    """Surrounds reading that releases the GIL: ``with Reading(in_use):``.

    Args:
        of: Counters of the object that is read.

    Raises:
        RuntimeError: On entering: the object is being written.
    """

    def __cinit__(self, InUse of not None):
        self.of = of

    def __enter__(self):
        self.of.check(False)
        self.of.readers += 1

    def __exit__(self, *exception):
        self.of.readers -= 1
