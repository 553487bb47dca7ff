"""One listing by the engine, without fetching a file. Started by `__main__.py`."""

import asyncio
import json
import resource
import sys
import time
from pathlib import Path

from benchmarks.ingest.ours import without_home_assistant


async def main(private: Path, archive: Path, code: str) -> None:
    """Sign in, list what is new, and tell what it took."""
    from benchmarks.ingest.engine_run import account, engine_config
    from custom_components.media_pipeline.engine.core import Core
    from custom_components.media_pipeline.engine.errors import CodeRequired
    from custom_components.media_pipeline.engine.stages.ingest import Ingest

    core = Core(engine_config(private, archive, account()), lambda _: None, lambda _: None)
    await core.open()
    try:
        assert core.session is not None
        try:
            await core.session.sign_in()
            await core.session.libraries()
        except CodeRequired:
            await core.session.submit_code(code)
        sys.stdout.write("signed in\n")
        sys.stdout.flush()
        sys.stdin.readline()  # the counts begin here
        before, began = _usage(), time.monotonic()
        await Ingest().list_all(core.context())
        wall, after = time.monotonic() - began, _usage()
        numbers = {
            "wall_s": wall,
            "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
            "rss_before_mb": before.ru_maxrss / 1024,
            "peak_rss_mb": after.ru_maxrss / 1024,
        }
        sys.stdout.write(json.dumps(numbers) + "\n")
    finally:
        await core.close()


def _usage() -> resource.struct_rusage:
    return resource.getrusage(resource.RUSAGE_SELF)


if __name__ == "__main__":
    without_home_assistant()
    sys.exit(asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])))
