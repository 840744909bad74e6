"""Builds the Cython extensions of sim_core; everything else about the package stands in pyproject.toml.

LIT_ALPHAZERO_DEBUG=1 builds with bounds checks, line tracing and assertions, for tests and coverage.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup

debug = os.environ.get("LIT_ALPHAZERO_DEBUG") == "1"
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
        extra_compile_args=["-O1", "-g"] if debug else ["-O3"],
        define_macros=[("CYTHON_TRACE_NOGIL", "1"), ("CYTHON_USE_SYS_MONITORING", "0")] if debug else [],
    )
    for path in sorted(Path("sim_core").glob("*.pyx"))
]
setup(
    ext_modules=cythonize(extensions, compiler_directives=directives, quiet=True),
    options={"build_ext": {"parallel": os.cpu_count()}},
)
