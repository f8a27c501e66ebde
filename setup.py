"""Builds the C++ core of calib_kernels where a compiler is at hand; metadata is in pyproject.toml.

Without a compiler, or if building fails, the package installs all the same and runs on its
reference backend, which it says once when it is used (``pip install -v`` shows what went wrong
here). CALIB_KERNELS_REQUIRE_NATIVE=1 makes a failed build fail the installation.
"""

from __future__ import annotations

import os
import shutil
import sys
from subprocess import CalledProcessError

from scikit_build_core.errors import CMakeNotFoundError, FailedLiveProcessError
from scikit_build_core.setuptools.build_cmake import BuildCMake
from setuptools import find_packages, setup
from setuptools.errors import SetupError

REQUIRED = os.environ.get("CALIB_KERNELS_REQUIRE_NATIVE") == "1"


def compiler() -> str | None:
    """The C++ compiler CMake would take."""
    named = os.environ.get("CXX", "").split()
    return next(filter(None, map(shutil.which, [*named[:1], "c++", "g++", "clang++"])), None)


class BuildOrGoWithout(BuildCMake):
    """Build the core; a failure leaves it out."""

    def run(self) -> None:
        try:
            super().run()
        except (
            CMakeNotFoundError,
            CalledProcessError,
            FailedLiveProcessError,
            SetupError,
        ) as error:
            if REQUIRED:
                raise
            sys.stderr.write(f"The C++ core was not built, reference will be used: {error}\n")


packages = find_packages("kernels") + find_packages(include=["calib", "calib.*"])
if compiler() or REQUIRED:
    setup(packages=packages, cmake_source_dir=".", cmdclass={"build_cmake": BuildOrGoWithout})
else:
    sys.stderr.write("No C++ compiler: the core is not built, reference will be used.\n")
    setup(packages=packages)
