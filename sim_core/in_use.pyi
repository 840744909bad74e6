class InUse:
    """Counts the readers and the writer of an object that releases the GIL. ``with in_use:`` surrounds writing.

    Args:
        name: Name of the object, for messages.

    Raises:
        RuntimeError: On entering, and from `check`: the object is in use.
    """

    def __init__(self, name: str) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...

class Reading:
    """Surrounds reading that releases the GIL: ``with Reading(in_use):``.

    Args:
        of: Counters of the object that is read.

    Raises:
        RuntimeError: On entering: the object is being written.
    """

    def __init__(self, of: InUse) -> None: ...
    def __enter__(self) -> None: ...
    def __exit__(self, *exception: object) -> None: ...
