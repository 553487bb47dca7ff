"""A brake: when much of what a place holds reads wrong at once, it is not the files.

A failing disk, cable, controller or memory damages what is read, not only what lies there. Without
a brake that would end in thousands of files set aside, sent again and healed from bytes that were
right all the time. So nothing more is noted, sent or healed there until a sample reads well again,
or a person says that the files really are lost.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ..catalog import brakes
from ..catalog.brakes import Brake
from ..catalog.database import Catalog
from ..clock import now_ms
from ..errors import ReadsWrong
from ..target_hub import TargetHub
from .base import StageContext

_LOGGER = logging.getLogger(__name__)
_LEAST: Final = 20
_SHARE: Final = 0.05
_SEEN: Final = 64
"""So many of the wrong files are remembered, to be tried again first."""


@dataclass(slots=True)
class Tally:
    """What one run found at one place."""

    looked: int = 0
    wrong: list[int] = field(default_factory=list)


def too_many(wrong: int, looked: int) -> bool:
    """Whether so many wrong ones (of all that were looked at) are no matter of single files."""
    return wrong >= _LEAST and wrong > _SHARE * looked


async def count(context: StageContext, place: str, good: int, wrong: Sequence[int]) -> None:
    """Files of a place were looked at: so many were right, these (ids) damaged or missing.

    Raises ReadsWrong, before anything is noted as lost, when the place can't be trusted.
    """
    brake = context.targets.brakes.get(place)
    if brake is not None and brake.accepted is not None:
        return
    tally = context.tallies.setdefault(place, Tally())
    tally.looked += good + len(wrong)
    tally.wrong += wrong
    if not wrong:
        return
    if brake is None and too_many(len(tally.wrong), tally.looked):
        brake = Brake(now_ms(), tally.looked, len(tally.wrong), tuple(tally.wrong[-_SEEN:]))
        context.targets.brakes[place] = brake
        await context.catalog.write(brakes.pull, place, brake)
        _LOGGER.error("%s: %d of %d files read wrong", place, brake.wrong, brake.looked)
    if brake is not None:
        raise reads_wrong(context.targets, place)


def reads_wrong(hub: TargetHub, place: str) -> ReadsWrong:
    """The error that says so."""
    brake = hub.brakes[place]
    return ReadsWrong(f"{place}: {brake.wrong} of {brake.looked} files are damaged or missing")


async def accept(catalog: Catalog, hub: TargetHub, place: str, actor: str | None) -> bool:
    """A person says that the files really are lost; False when nothing is held there."""
    if not hub.held(place):
        return False
    brake = replace(hub.brakes[place], accepted=now_ms())
    await catalog.write(brakes.accept, place, brake, actor)
    hub.brakes[place] = brake
    return True


async def release(context: StageContext, place: str, why: str) -> None:
    """Trust a place again."""
    await context.catalog.write(brakes.release, place, why)
    context.targets.brakes.pop(place, None)
    context.tallies.pop(place, None)
    if isinstance(context.problems.get(place), ReadsWrong):
        del context.problems[place]
    _LOGGER.warning("%s is trusted again: %s", place, why)


async def settle(context: StageContext, place: str) -> None:
    """When everything at an accepted place was proven anew, the brake is ready again."""
    brake = context.targets.brakes.get(place)
    if brake is None or brake.accepted is None:
        return
    if not await context.catalog.read(brakes.proven_before, place, brake.accepted):
        await release(context, place, "proven_anew")
