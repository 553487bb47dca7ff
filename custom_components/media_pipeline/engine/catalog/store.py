"""Small things: stored values (cursors), the journal, records that could not be read, runs."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects.sqlite import insert

from ..clock import now_ms
from ..model import RunOutcome, RunSummary, Stage
from .schema import copies, journal, rejects, resources, runs, values


def get_values(connection: Connection, prefix: str) -> dict[str, str]:
    """Stored values whose key starts with ``prefix``, the prefix removed."""
    rows = connection.execute(
        select(values).where(values.c.key.startswith(prefix, autoescape=True))
    )
    return {row.key.removeprefix(prefix): row.value for row in rows}


def set_values(connection: Connection, prefix: str, changes: Mapping[str, str]) -> None:
    """Store values; an empty text removes one."""
    for key, value in changes.items():
        if value:
            row = {"key": prefix + key, "value": value}
            connection.execute(
                insert(values).values(row).on_conflict_do_update(index_elements=["key"], set_=row)
            )
        else:
            connection.execute(delete(values).where(values.c.key == prefix + key))


def write_journal(
    connection: Connection,
    action: str,
    *,
    actor: str | None = None,
    subject: str | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Note who changed what."""
    connection.execute(
        insert(journal).values(
            at=now_ms(),
            actor=actor,
            action=action,
            subject=subject,
            detail=json.dumps(detail) if detail else None,
        )
    )


def add_rejects(connection: Connection, malformed: Sequence[tuple[str, str]]) -> None:
    """Remember source records that could not be read, with the reason."""
    for name, reason in malformed:
        row = {"name": name, "reason": reason, "at": now_ms()}
        connection.execute(
            insert(rejects).values(row).on_conflict_do_update(index_elements=["name"], set_=row)
        )


def start_run(
    connection: Connection, run_id: str, stages: Sequence[Stage], actor: str | None
) -> None:
    """A run begins."""
    connection.execute(
        insert(runs).values(
            id=run_id, stages=",".join(stages), actor=actor, started=now_ms(), counts="{}"
        )
    )
    write_journal(
        connection, "run_started", actor=actor, subject=run_id, detail={"stages": list(stages)}
    )


def end_run(connection: Connection, summary: RunSummary, actor: str | None = None) -> None:
    """A run ended; one that was stopped before its beginning was written down gets its row now."""
    end = {
        "ended": summary.ended,
        "outcome": summary.outcome,
        "error": summary.error,
        "counts": json.dumps(summary.counts),
    }
    begun = connection.execute(update(runs).where(runs.c.id == summary.run_id).values(end))
    if not begun.rowcount:
        connection.execute(
            insert(runs).values(
                id=summary.run_id,
                stages=",".join(summary.stages),
                actor=actor,
                started=summary.started,
                **end,
            )
        )
    write_journal(
        connection,
        f"run_{summary.outcome}",
        subject=summary.run_id,
        detail={"counts": summary.counts, "error": summary.error},
    )


def recover_runs(connection: Connection) -> int:
    """Mark runs that a crash cut off; returns how many."""
    result = connection.execute(
        update(runs)
        .where(runs.c.ended.is_(None))
        .values(ended=now_ms(), outcome=RunOutcome.INTERRUPTED)
    )
    return result.rowcount


def last_run(connection: Connection) -> RunSummary | None:
    """The newest run that ended."""
    row = connection.execute(
        select(runs).where(runs.c.ended.is_not(None)).order_by(runs.c.started.desc()).limit(1)
    ).first()
    if row is None:
        return None
    return RunSummary(
        run_id=row.id,
        started=row.started,
        ended=row.ended,
        outcome=RunOutcome(row.outcome),
        stages=tuple(Stage(stage) for stage in row.stages.split(",") if stage),
        counts=json.loads(row.counts),
        error=row.error,
    )


def error_counts(connection: Connection) -> dict[str, int]:
    """Error key → number of files and records that have it now."""
    counts: dict[str, int] = {}
    for column in (resources.c.error, copies.c.error, rejects.c.reason):
        rows = connection.execute(
            select(column, func.count()).where(column.is_not(None)).group_by(column)
        )
        for key, number in rows:
            counts[key] = counts.get(key, 0) + number
    return counts
