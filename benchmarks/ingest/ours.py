"""Our side as a program of its own.

The engine lies inside the integration's package, which imports Home Assistant. Its peer carries no
Home Assistant either, so that package is put in place here without running its `__init__`.
"""

import asyncio
import os
import sys
from pathlib import Path
from types import ModuleType

_NAME = "custom_components.media_pipeline"


def without_home_assistant() -> None:
    """Let the integration's package be imported without what Home Assistant needs of it."""
    package = ModuleType(_NAME)
    package.__path__ = [str(Path(__file__).parents[2].joinpath(*_NAME.split(".")))]
    sys.modules[_NAME] = package


if __name__ == "__main__":
    without_home_assistant()
    from .engine_run import main

    asyncio.run(main())
    if "homeassistant" in sys.modules:
        sys.exit("Home Assistant was imported")
    # all is closed. In real life the process goes on: taking the interpreter apart is no ingest
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
