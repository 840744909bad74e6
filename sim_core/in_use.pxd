"""Declares the counters by which an object refuses a second thread that would spoil the first one's work."""


cdef class InUse:
    cdef str name
    cdef int readers    # in `with Reading(...)` now
    cdef bint written   # in `with` this now

    cdef int check(self, bint writes) except -1


cdef class Reading:
    cdef InUse of
