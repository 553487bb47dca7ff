"""What a person asks of a phone between runs."""

from typing import TYPE_CHECKING

from .catalog import resident
from .errors import UnknownTarget
from .stages.phone import tell
from .targets.phone import PhoneTarget, PixelTargetConfig

if TYPE_CHECKING:
    from .core import Core


async def rescan(core: Core, target_id: str, actor: str | None) -> int:
    """Tell a phone's media library again of all files of ours that lie there; how many.

    To look at what is there needs no charger and no Wi-Fi, so nobody is asked for conditions.
    Raises RunActive, UnknownTarget, a PhoneNotTold, and what ``Target.open`` raises.
    """
    config = core.targets.configs.get(target_id)
    if not isinstance(config, PixelTargetConfig):
        raise UnknownTarget(f"{target_id} is no phone")
    with core.runs.alone():
        target = await core.targets.apart(target_id)
        if not isinstance(target, PhoneTarget):
            raise UnknownTarget(f"{target_id} is no phone")
        try:
            await target.open()
            target.home = core.targets.home
            rows = await core.catalog.read(resident.believed_there, target_id)
            told = await tell(core.catalog, config, target, rows)
        finally:
            await target.close()
        files = 0 if told is None else len(told.paths)
        await core.catalog.write(resident.rescanned, target_id, files, actor)
    if told is not None:
        told.check()
    await core.board.refresh()
    return files
