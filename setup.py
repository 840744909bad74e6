"""Builds the Cython extensions of sim_core; everything else about the package stands in pyproject.toml.

Three variables make it another build, alone or together (tests/support/sanitizers.sh):
LIT_ALPHAZERO_DEBUG=1 with bounds checks, and with games tried out when they are first used,
LIT_ALPHAZERO_SANITIZE=1 with gcc's AddressSanitizer and UndefinedBehaviorSanitizer,
LIT_ALPHAZERO_COVERAGE=1 with gcc's counts of executed lines (tests/support/engine_coverage.py reads them).
An optimisation level in CFLAGS stands in place of the -O3 of a plain build.
"""

import os
from pathlib import Path

from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

debug, sanitize, coverage = (
    os.environ.get(f"LIT_ALPHAZERO_{name}") == "1" for name in ("DEBUG", "SANITIZE", "COVERAGE")
)
flags = []
if sanitize:  # what UBSan finds ends the process, as what AddressSanitizer finds does
    flags += ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined"]
if coverage:
    flags += ["--coverage"]
if debug or sanitize or coverage:
    optimisation = ["-Og", "-g1"]  # under the sanitizers gcc takes three times as long for -O1 -g
else:
    optimisation = ["-g0"] if "-O" in os.environ.get("CFLAGS", "") else ["-O3", "-g0"]
directives = {
    "language_level": 3,
    "boundscheck": debug,
    "wraparound": False,  # an index below 0 is out of bounds, with bounds checks too
    "initializedcheck": debug,
    "cdivision": not debug,
    "embedsignature": False,
}


class CythonBuild(build_ext):
    """Makes C of the changed `.pyx` where extensions are built, not where an sdist is made or metadata asked for."""

    def build_extensions(self):
        made = cythonize(self.extensions, nthreads=self.parallel or 0, compiler_directives=directives, quiet=True)
        sources = {extension.name: extension.sources for extension in made}
        for extension in self.extensions:
            extension.sources = sources[extension.name]
        super().build_extensions()


setup(
    ext_modules=[
        Extension(
            ".".join(path.with_suffix("").parts),
            [path.as_posix()],
            extra_compile_args=[*optimisation, *flags],
            extra_link_args=flags,
            define_macros=[("LIT_ALPHAZERO_DEBUG", "1")] if debug else [],
        )
        for path in sorted(Path("sim_core").rglob("*.pyx"))
    ],
    cmdclass={"build_ext": CythonBuild},
    options={"build_ext": {"parallel": os.cpu_count()}},
)
