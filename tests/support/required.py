"""What a test needs beside Python: without it the test is skipped, or fails where nothing may be skipped."""

from __future__ import annotations

import importlib
import os
from types import ModuleType
from typing import NoReturn

import pytest


def skip_without(what: str) -> NoReturn:
    """Skip the test, or the module that is collected, for lack of something; with REQUIRE_SERVER=1 fail."""
    if os.environ.get("REQUIRE_SERVER") == "1":
        pytest.fail(f"REQUIRE_SERVER=1, but {what}", pytrace=False)
    pytest.skip(what, allow_module_level=True)


def required_module(name: str) -> ModuleType:
    """Import a module that comes with an extra."""
    try:
        return importlib.import_module(name)
    except ImportError:
        skip_without(f"{name} is not installed")
