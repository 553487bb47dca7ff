"""A record that is written anew while its older text is sent or proven: no false alarm, no loss."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, select, update

from custom_components.media_pipeline.engine.catalog import copy_results
from custom_components.media_pipeline.engine.catalog.schema import copies, resources
from custom_components.media_pipeline.engine.core import Core
from custom_components.media_pipeline.engine.model import ProofMethod, Role, RunOutcome, Stage
from custom_components.media_pipeline.engine.stages import proving
from custom_components.media_pipeline.engine.targets.base import ProofRequest

from .harness import World, make_world, run

OTHER = "0" * 64


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    with make_world(tmp_path, monkeypatch, assets=3) as made:
        yield made


def a_record(connection: Connection) -> tuple[int, int, str, int, str]:
    """(resource, its copy, SHA-256, size, path at the target) of one record."""
    row = connection.execute(
        select(resources.c.id, copies.c.id, resources.c.sha256, copies.c.size, copies.c.path)
        .join(copies, copies.c.resource_id == resources.c.id)
        .where(resources.c.role == Role.RECORD)
        .limit(1)
    ).one()
    return row[0], row[1], row[2], row[3], row[4]


def state_of(connection: Connection, copy_id: int) -> str:
    return str(
        connection.execute(select(copies.c.state).where(copies.c.id == copy_id)).scalar_one()
    )


def proven_at(connection: Connection, copy_id: int) -> int | None:
    query = select(copies.c.proven_at).where(copies.c.id == copy_id)
    found: int | None = connection.execute(query).scalar_one()
    return found


async def test_sent_while_it_was_written_anew(world: World) -> None:
    async with world.core() as core:
        await run(core)
        resource, copy, sha256, size, path = await core.catalog.read(a_record)

        await core.catalog.write(
            copy_results.copy_sent, resource, "disk", path=path, size=size, sha256=OTHER
        )
        assert await core.catalog.read(state_of, copy) == "pending"
        ended = await run(core, Stage.SYNC, Stage.VERIFY)

        assert ended.outcome is RunOutcome.COMPLETED
        assert await core.catalog.read(state_of, copy) == "verified"
        assert hashlib.sha256((world.target / path).read_bytes()).hexdigest() == sha256
        assert not [event for event in world.events if event.type == "copy_lost"]


async def test_proven_on_the_way_while_it_was_written_anew(world: World) -> None:
    """A proof that came with the delivery is of the bytes that were delivered."""
    async with world.core() as core:
        await run(core)
        resource, copy, sha256, size, path = await core.catalog.read(a_record)
        for sent, state in ((OTHER, "pending"), (sha256, "verified")):
            await core.catalog.write(
                copy_results.copy_sent,
                resource,
                "disk",
                path=path,
                size=size,
                sha256=sent,
                proof=ProofMethod.REMOTE_HASH,
            )
            assert await core.catalog.read(state_of, copy) == state
            assert (await core.catalog.read(proven_at, copy) is not None) == (state == "verified")


async def test_proven_while_it_was_written_anew(world: World) -> None:
    async with world.core() as core:
        await run(core)
        resource, copy, sha256, size, path = await core.catalog.read(a_record)
        await core.catalog.write(
            copy_results.copy_sent, resource, "disk", path=path, size=size, sha256=sha256
        )

        await core.catalog.write(
            copy_results.copies_proven, [(copy, OTHER, ProofMethod.READ_BACK)]
        )  # of the older text
        assert await core.catalog.read(state_of, copy) == "sent"
        await core.catalog.write(
            copy_results.copies_proven, [(copy, sha256, ProofMethod.READ_BACK)]
        )
        assert await core.catalog.read(state_of, copy) == "verified"


async def test_the_newer_text_is_not_a_wrong_copy(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asked for the older text, the target already holds the newer one."""
    async with world.core() as core:
        await run(core)
        resource, copy, sha256, _, _ = await core.catalog.read(a_record)
        real = proving._proofs

        def older(connection: Connection) -> None:
            connection.execute(
                update(resources).where(resources.c.id == resource).values(sha256=OTHER)
            )
            connection.execute(update(copies).where(copies.c.id == copy).values(state="sent"))

        def newer(connection: Connection) -> None:
            connection.execute(
                update(resources).where(resources.c.id == resource).values(sha256=sha256)
            )

        async def meanwhile(context: object, target: object, rows: object) -> object:
            await core.catalog.write(newer)
            return await real(context, target, rows)  # type: ignore[arg-type]

        monkeypatch.setattr(proving, "_proofs", meanwhile)
        await core.catalog.write(older)
        await verify_once(core)

        assert not [event for event in world.events if event.type == "copy_lost"]
        assert await core.catalog.read(state_of, copy) == "sent"


async def verify_once(core: Core) -> None:
    """Prove the waiting copies of the target once, as verify does."""
    from custom_components.media_pipeline.engine.catalog import scrub
    from custom_components.media_pipeline.engine.clock import now_ms

    context = core.context()
    rows = await core.catalog.read(scrub.to_prove, "disk", None, now_ms(), 10)
    assert len(rows) == 1
    target = await core.targets.get("disk")
    assert await target.prove([ProofRequest(rows[0].path, rows[0].size)])
    await proving.prove_copies(context, target, rows)
