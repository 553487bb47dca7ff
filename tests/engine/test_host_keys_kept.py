"""What an SSH server announced is kept in the catalog, for the next run and the next start."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from sqlalchemy import Connection, select

from custom_components.media_pipeline.engine.age.keys import AgeKey
from custom_components.media_pipeline.engine.catalog import copy_results, host_keys, work
from custom_components.media_pipeline.engine.catalog.database import Catalog
from custom_components.media_pipeline.engine.catalog.schema import journal
from custom_components.media_pipeline.engine.config import EncryptionConfig, SftpTargetConfig
from custom_components.media_pipeline.engine.errors import HostKeyChanged
from custom_components.media_pipeline.engine.target_hub import TargetHub
from tests.support.sshd import RealSshd, find_sshd


def noted(connection: Connection) -> list[Any]:
    wanted = select(journal).where(journal.c.action == "host_keys").order_by(journal.c.id)
    return list(connection.execute(wanted))


def new_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


class House:
    """A catalog, and a server with two targets."""

    def __init__(self, catalog: Catalog, server: RealSshd) -> None:
        self.catalog, self.server = catalog, server
        access = server.access
        self.configs: tuple[SftpTargetConfig, ...] = (
            access.target_config("a", target_id="a"),
            access.target_config("b", target_id="b"),
        )

    async def visit(self, *target_ids: str, until: int | None = None) -> None:
        """One run that uses these targets; ``until`` waits for so many remembered keys."""
        hub = TargetHub(self.configs, self.catalog)
        try:
            for target_id in target_ids:
                await hub.get(target_id)
                async with asyncio.timeout(30):
                    while until is not None and len(await self.known(target_id)) != until:
                        await asyncio.sleep(0.02)
        finally:
            await hub.close()

    async def known(self, target_id: str) -> tuple[str, ...]:
        hub = TargetHub(self.configs, self.catalog)
        return await hub.known_host_keys(hub.configs[target_id])

    async def domains(self) -> dict[str, str]:
        rows = await self.catalog.read(work.known_targets)
        return {target_id: row.domain for target_id, row in rows.items()}

    async def serve(self, *keys: asyncssh.SSHKey) -> None:
        await self.server.stop()
        self.server.use_host_keys(*keys)
        await self.server.start()


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    if find_sshd() is None:
        pytest.skip("sshd is not installed: scripts/setup --all")
    catalog = Catalog(tmp_path / "catalog.db")
    await catalog.open()
    (tmp_path / "served").mkdir()
    made = House(catalog, RealSshd(tmp_path / "served"))
    await catalog.write(copy_results.register_targets, made.configs)
    yield made
    await made.server.close()
    await catalog.close()


async def rotate(house: House) -> tuple[asyncssh.SSHKey, asyncssh.SSHKey]:
    """Confirmed with the first key; the second was announced to target ``a`` and is shown now."""
    first, second = new_key(), new_key()
    house.server.use_host_keys(first, second)
    access = house.server.access
    house.configs = tuple(replace(config, host_key=access.host_key) for config in house.configs)
    await house.server.start()
    await house.visit("a", until=2)
    await house.visit("b", until=2)
    await house.serve(second)
    return first, second


async def test_a_rotation_is_journaled_and_stays_one_place(house: House) -> None:
    first, second = await rotate(house)
    old, new = first.get_fingerprint(), second.get_fingerprint()
    assert await house.domains() == {"a": old, "b": old}

    await house.visit("a", until=1)

    assert await house.domains() == {"a": new, "b": new}, "never two places, also before b is seen"
    rows = [row for row in await house.catalog.read(noted) if row.subject == "a"]
    assert len(rows) == 3, "announced, shown, and the first one withdrawn"
    assert new in rows[0].detail
    assert rows[1].detail.startswith(f'{{"shown": "{new}"')
    await house.visit("b", until=1)
    assert await house.domains() == {"a": new, "b": new}
    await house.serve(new_key())
    with pytest.raises(HostKeyChanged) as caught:
        await house.visit("a")
    assert caught.value.placeholders["expected"] == new


async def test_what_a_person_confirms_voids_the_rest(house: House) -> None:
    first, second = await rotate(house)
    await house.visit("a", until=1)
    await house.serve(first)
    with pytest.raises(HostKeyChanged):
        await house.visit("a")

    hub = TargetHub(house.configs, house.catalog)
    await hub.forget_host_keys("a")  # the owner says that the old one is right again
    await hub.try_again(hub.configs["a"])
    await house.visit("a")

    third = new_key()
    await house.serve(third)
    house.configs = tuple(
        replace(config, host_key=house.server.host_key) for config in house.configs
    )
    await house.visit("b")
    assert await house.catalog.read(host_keys.remembered, "b") is None, "it was for another key"
    assert second.get_fingerprint() != third.get_fingerprint()


async def test_an_encrypted_target(house: House) -> None:
    key = AgeKey.generate()
    house.configs = (
        replace(house.configs[0], encryption=EncryptionConfig(key.text)),
        house.configs[1],
    )
    await rotate(house)
    await house.visit("a", until=1)
    assert await house.catalog.read(host_keys.remembered, "a") is not None, "the new key is kept"
