"""Puts the catalog's numbers beside the measured ones."""

from dataclasses import dataclass
from typing import Any

from tests.icloud_server.client import StandIn

from .catalog import CatalogView, File, read_catalog
from .clicks import NAS, USB
from .measure import Asset, Found, Holdings, take_lists, walk
from .places import Places
from .report import Report

COMPRESSED = "compressed/"


@dataclass(frozen=True, slots=True)
class Freed:
    """What the actions said of the cleanup."""

    proposed: dict[str, Any]
    """The plan when it was made."""
    allowed: list[Asset]
    """What the safety rules allowed at that moment, worked out from the library."""
    executed: dict[str, Any]
    """The plan in the end."""


def compare(
    report: Report,
    places: Places,
    icloud: StandIn,
    targets: dict[str, str],
    freed: Freed,
    protected: float,
) -> None:
    """Read everything and add the rows. Blocking."""
    catalog = read_catalog(places.catalog)
    assets = [Asset.of(data) for data in icloud.assets()]
    archive, usb, nas = walk(places.archive), walk(places.usb), walk(places.nas)
    for name, folder, found in (
        ("archive", places.archive, archive),
        (USB, places.usb, usb),
        (NAS, places.nas, nas),
    ):
        listed = take_lists(folder, found)
        right = sum(listed.get(path) == file.sha256 for path, file in found.items())
        report.add(f"files on {name}, right by its own SHA256SUMS", len(found), right)
    holdings = Holdings()
    holdings.add(str(places.archive.stat().st_dev), archive)
    holdings.add(str(places.usb.stat().st_dev), usb)
    holdings.add("server", nas)

    _archive_rows(report, catalog, assets, archive)
    _smaller_rows(report, catalog, archive)
    on_targets = {USB: usb, NAS: nas}
    for name, found in on_targets.items():
        wanted = {
            file.sha256
            for path, file in archive.items()
            if name == USB or not path.startswith(COMPRESSED)  # the NAS gets originals only
        }
        _target_rows(report, name, catalog, targets[name], found, wanted)
    known = {f.path for f in (*catalog.originals, *catalog.records, *catalog.sidecars)}
    known |= {smaller.file.path for smaller in catalog.smaller}
    report.add("files in the archive that nobody knows", 0, len(archive.keys() - known))
    _cleanup_rows(report, catalog, assets, holdings, freed)
    present = [asset for asset in assets if not asset.trashed]
    safe = sum(holdings.holding(asset) >= 2 for asset in present)
    report.add(
        "protected of what is left in iCloud", protected, 100 * safe / max(1, len(present)), "%"
    )


def _right(files: tuple[File, ...], found: dict[str, Found]) -> list[File]:
    """Those whose bytes really lie at their path."""
    return [
        file
        for file in files
        if (there := found.get(file.path)) is not None
        and (there.sha256, there.size) == (file.sha256, file.size)
    ]


def _archive_rows(
    report: Report, catalog: CatalogView, assets: list[Asset], archive: dict[str, Found]
) -> None:
    held = {found.apple for found in archive.values()}
    wanted = {checksum for asset in assets for checksum in asset.checksums}
    originals = [found for found in archive.values() if found.apple in wanted]
    records = [path for path in archive if path.endswith(".json")]
    report.add("assets in the library", catalog.assets, len(assets))
    report.add(
        "assets archived, Apple's checksum right",
        catalog.archived_assets,
        sum(asset.checksums <= held for asset in assets),
    )
    report.add("original files in the archive", len(catalog.originals), len(originals))
    report.add(
        "  their bytes",
        sum(file.size for file in catalog.originals),
        sum(found.size for found in originals),
        "B",
    )
    report.add("records kept beside them", len(catalog.records), len(records))
    sidecars = sum(path.endswith(".xmp") for path in archive)
    report.add("XMP sidecars beside them", len(catalog.sidecars), sidecars)


def _smaller_rows(report: Report, catalog: CatalogView, archive: dict[str, Found]) -> None:
    made = [found for path, found in archive.items() if path.startswith(COMPRESSED)]
    after = sum(found.size for found in made)
    before = sum(
        archive[smaller.original.path].size
        for smaller in catalog.smaller
        if smaller.original.path in archive
    )
    report.add("smaller versions made", len(catalog.smaller), len(made))
    report.add("  originals of these", sum(s.original.size for s in catalog.smaller), before, "B")
    report.add(
        "  smaller versions",
        sum(s.file.size for s in catalog.smaller),
        after,
        "B",
        f"{100 * (1 - after / before):.0f} % smaller" if before else "",
    )


def _target_rows(
    report: Report,
    name: str,
    catalog: CatalogView,
    target_id: str,
    found: dict[str, Found],
    wanted: set[str],
) -> None:
    copies = catalog.copies.get(target_id, ())
    right = _right(copies, found)
    report.add(f"copies proven on {name}, SHA-256 right", len(copies), len(right))
    report.add(
        "  their bytes", sum(file.size for file in copies), sum(file.size for file in right), "B"
    )
    report.add("  files there", len(copies), len(found))
    missing = wanted - {file.sha256 for file in found.values()}
    report.add("  still missing there", catalog.unproven.get(target_id, 0), len(missing))


def _cleanup_rows(
    report: Report,
    catalog: CatalogView,
    assets: list[Asset],
    holdings: Holdings,
    freed: Freed,
) -> None:
    trashed = [asset for asset in assets if asset.trashed]
    proposed, executed = freed.proposed, freed.executed
    report.add("planned to free", proposed["assets"], len(freed.allowed))
    report.add("  their bytes", proposed["bytes"], sum(a.size for a in freed.allowed), "B")
    report.add("freed, in Recently Deleted", executed["freed_assets"], len(trashed))
    report.add("  their bytes", executed["freed_bytes"], sum(a.size for a in trashed), "B")
    report.add(
        "  the very same assets",
        len(catalog.freed),
        len(catalog.freed & {asset.name for asset in trashed}),
    )
    report.add(
        "  with two or more proven copies",
        len(catalog.freed),
        sum(holdings.holding(asset) >= 2 for asset in trashed),
    )
