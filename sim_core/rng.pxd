"""Draws random numbers from counter-based streams: SplitMix64 (Steele, Lea and Flood 2014), keyed by a hash.

The key is a hash of (seed, purpose, ids). A stream is only two integers, so every game, search and opponent has one,
and no result depends on threads or order.
"""
from libc.math cimport cos, log, pow, sqrt
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy


cdef enum:
    # What a stream is for. It is part of the key, so that dealing, playing and searching never share random numbers.
    PURPOSE_DEAL = 1
    PURPOSE_OPPONENT = 2
    PURPOSE_SEARCH = 3
    PURPOSE_DETERMINIZE = 4
    PURPOSE_SAMPLE = 5
    PURPOSE_ISMCTS = 6
    PURPOSE_OPENING = 7
    PURPOSE_BELIEF = 8


cdef struct Stream:
    uint64_t key        # hash of seed, purpose and ids
    uint64_t counter    # numbers drawn so far


cdef inline uint64_t mix64(uint64_t z) noexcept nogil:
    z = (z ^ (z >> 30)) * <uint64_t>0xBF58476D1CE4E5B9
    z = (z ^ (z >> 27)) * <uint64_t>0x94D049BB133111EB
    return z ^ (z >> 31)


cdef inline uint64_t hash_bytes(const uint8_t *bytes, int size) noexcept nogil:
    """Returns 64 bits of hash. Of a few hundred states two have the same about once in 10**17 times."""
    cdef uint64_t hashed = <uint64_t>size, word
    cdef int k = 0
    while k + 8 <= size:
        memcpy(&word, bytes + k, 8)
        hashed = mix64(hashed ^ word) + <uint64_t>0x9E3779B97F4A7C15
        k += 8
    if k < size:
        word = 0
        memcpy(&word, bytes + k, size - k)
        hashed = mix64(hashed ^ word) + <uint64_t>0x9E3779B97F4A7C15
    return hashed


cdef inline Stream make_stream(uint64_t seed, uint64_t purpose, uint64_t a, uint64_t b) noexcept nogil:
    """Returns stream number (a, b) of a seed, for one purpose."""
    cdef Stream stream
    cdef uint64_t key = mix64(seed + <uint64_t>0x9E3779B97F4A7C15)
    key = mix64(key ^ (purpose * <uint64_t>0xD1342543DE82EF95))
    key = mix64(key ^ (a * <uint64_t>0xA24BAED4963EE407 + 1))
    stream.key = mix64(key ^ (b * <uint64_t>0x9FB21C651E98DF25 + 2))
    stream.counter = 0
    return stream


cdef inline uint64_t next_u64(Stream *stream) noexcept nogil:
    stream.counter += 1
    return mix64(stream.key + stream.counter * <uint64_t>0x9E3779B97F4A7C15)


cdef inline uint32_t next_below(Stream *stream, uint32_t n) noexcept nogil:
    """Draws uniformly from 0 to n - 1, without modulo bias (Lemire 2019)."""
    cdef uint64_t product = (next_u64(stream) >> 32) * n
    cdef uint32_t low = <uint32_t>product
    cdef uint32_t threshold
    if low < n:
        threshold = (<uint32_t>(-<uint64_t>n & <uint64_t>0xFFFFFFFF)) % n
        while low < threshold:
            product = (next_u64(stream) >> 32) * n
            low = <uint32_t>product
    return <uint32_t>(product >> 32)


cdef inline double next_double(Stream *stream) noexcept nogil:
    """Draws uniformly from the open interval (0, 1)."""
    return ((next_u64(stream) >> 12) + 0.5) * (1.0 / 4503599627370496.0)


cdef inline double next_normal(Stream *stream) noexcept nogil:
    """Draws a standard normal variate (Box and Muller 1958)."""
    cdef double u = next_double(stream)
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * next_double(stream))


cdef inline double next_gamma(Stream *stream, double shape) noexcept nogil:
    """Draws a gamma variate of unit scale (Marsaglia and Tsang 2000)."""
    cdef double d, c, x, v, u, boost = 1.0
    if shape < 1.0:
        boost = pow(next_double(stream), 1.0 / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / sqrt(9.0 * d)
    while True:
        x = next_normal(stream)
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        u = next_double(stream)
        if log(u) < 0.5 * x * x + d - d * v + d * log(v):
            return boost * d * v
