"""Any folder of files through walk, probe and compress: ``scripts/test --corpus DIR``.

The files are only read. Ends with a table of what became of them; 1 when a child crashed.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path

from custom_components.media_pipeline.engine.media.jobs import PhotoFormat, PhotoPreset
from custom_components.media_pipeline.engine.media.pool import MediaPool

from .judging import Table, judge_all


async def run(folder: Path, parallel: int, photo_format: PhotoFormat) -> Table:
    """Judge the folder with a pool of its own."""
    pool = MediaPool(workers=parallel)
    try:
        return await judge_all(
            folder, pool, parallel=parallel, preset=PhotoPreset(format=photo_format)
        )
    finally:
        await pool.close()


def main() -> int:
    """Judge, print, tell."""
    parser = argparse.ArgumentParser(prog="scripts/test --corpus", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--parallel", type=int, default=os.process_cpu_count() or 1)
    parser.add_argument("--photo-format", type=PhotoFormat, default=PhotoFormat.JPEG)
    parser.add_argument("--files", action="store_true", help="also one line for each file")
    wanted = parser.parse_args()
    if not wanted.folder.is_dir():
        parser.error(f"{wanted.folder} is no folder")
    table = asyncio.run(run(wanted.folder, wanted.parallel, wanted.photo_format))
    if wanted.files:
        for one in sorted(table.verdicts, key=lambda verdict: verdict.path):
            print(f"{one.outcome:<11}{one.reason:<24}{one.path.relative_to(wanted.folder)}")
    print("\n".join(table.lines()))
    return int(table.count("crashed") > 0)


if __name__ == "__main__":
    sys.exit(main())
