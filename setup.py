"""Builds the Cython extensions of sim_core; everything else about the package stands in pyproject.toml.

LIT_ALPHAZERO_DEBUG=1 builds with bounds checks, line tracing and assertions, for tests and coverage.
LIT_ALPHAZERO_SANITIZE=1 builds with gcc's AddressSanitizer and UndefinedBehaviorSanitizer (tests/sanitizers.sh).
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

debug = os.environ.get("LIT_ALPHAZERO_DEBUG") == "1"
sanitize = os.environ.get("LIT_ALPHAZERO_SANITIZE") == "1"
# what UBSan finds ends the process, as what AddressSanitizer finds does
sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"] if sanitize else []
directives = {
    "language_level": 3,
    "boundscheck": debug,
    "wraparound": debug,
    "initializedcheck": debug,
    "cdivision": not debug,
    "linetrace": debug,
    "embedsignature": False,
}
extensions = [
    Extension(
        f"sim_core.{path.stem}",
        [path.as_posix()],
        extra_compile_args=[*(["-O1", "-g"] if debug or sanitize else ["-O3"]), *sanitizers],
        extra_link_args=sanitizers,
        define_macros=[("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")] if debug else [],
    )
    for path in sorted(Path("sim_core").glob("*.pyx"))
]
setup(
    ext_modules=cythonize(extensions, compiler_directives=directives, quiet=True),
    options={"build_ext": {"parallel": os.cpu_count()}},
)
