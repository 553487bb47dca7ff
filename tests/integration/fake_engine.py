"""An engine that does nothing but remember, answer and push what a test tells it to."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from custom_components.media_pipeline.engine.adopt.report import Report, Request
from custom_components.media_pipeline.engine.config import EngineConfig, TargetConfig
from custom_components.media_pipeline.engine.errors import PipelineError
from custom_components.media_pipeline.engine.home import Home
from custom_components.media_pipeline.engine.media.jobs import MediaKind
from custom_components.media_pipeline.engine.model import (
    DrillResult,
    EngineEvent,
    KindEstimate,
    LibraryCensus,
    PlanState,
    PlanSummary,
    PutAside,
    RestoreReport,
    RestoreRequest,
    Role,
    RunOutcome,
    RunSummary,
    Snapshot,
    Stage,
)
from custom_components.media_pipeline.engine.sources.icloud.session import ICloudSession
from custom_components.media_pipeline.engine.targets.registry import probe_target

PLAN = PlanSummary("plan-1", "abc", PlanState.PROPOSED, 1_790_000_000_000, 12, 3_400)


class FakeEngine:
    """The engine's door with nothing behind it."""

    def __init__(
        self,
        config: EngineConfig,
        *,
        on_snapshot: Callable[[Snapshot], None],
        on_event: Callable[[EngineEvent], None],
        home: Home | None = None,
    ) -> None:
        self.config = config
        self.home = home
        self.on_snapshot = on_snapshot
        self.on_event = on_event
        self.snapshot = Snapshot(authenticated=True)
        self.icloud_session: ICloudSession | None = None
        self.calls: list[tuple[str, Any]] = []
        self.error: Exception | None = None
        self.start_error: Exception | None = None
        self.next_start_error: PipelineError | None = None
        self.outcome = RunOutcome.COMPLETED
        self.host_keys: tuple[str, ...] = ()
        """What servers announced, the key shown last first."""

    def _called(self, name: str, **arguments: Any) -> None:
        self.calls.append((name, arguments))
        if self.error is not None:
            raise self.error

    @property
    def running(self) -> bool:
        names = [name for name, _ in self.calls]
        return "start" in names and "stop" not in names

    async def example(self) -> None:
        """Nothing is archived."""

    async def start(self) -> None:
        self._called("start")
        if self.start_error is not None:
            raise self.start_error

    async def stop(self) -> None:
        self.calls.append(("stop", {}))

    async def start_run(
        self,
        stages: tuple[Stage, ...] = (),
        *,
        actor: str | None = None,
        seconds: float | None = None,
        prove_all: bool = False,
    ) -> str:
        limit: dict[str, Any] = {"seconds": seconds} if seconds else {}
        if prove_all:
            limit["prove_all"] = True
        self._called("start_run", stages=stages, actor=actor, **limit)
        return "run-1"

    async def wait_run(self, run_id: str) -> RunSummary:
        self._called("wait_run", run_id=run_id)
        error = "source_unreachable" if self.outcome is RunOutcome.FAILED else None
        return RunSummary(
            run_id, 1_790_000_000_000, 1_790_000_060_000, self.outcome, (), {"archived": 3}, error
        )

    async def pause(self, *, actor: str | None = None) -> None:
        self._called("pause", actor=actor)

    async def resume(self, *, actor: str | None = None) -> None:
        self._called("resume", actor=actor)

    async def cancel(self, *, actor: str | None = None) -> None:
        self._called("cancel", actor=actor)

    async def plan_cleanup(
        self, *, limit: int | None = None, actor: str | None = None
    ) -> tuple[PlanSummary, dict[str, int]]:
        self._called("plan_cleanup", limit=limit, actor=actor)
        return PLAN, {"too_young": 4}

    async def approve_cleanup(self, plan_id: str, *, actor: str | None = None) -> PlanSummary:
        self._called("approve_cleanup", plan_id=plan_id, actor=actor)
        return PLAN

    async def cleanup(
        self, plan_id: str, *, dry_run: bool = True, actor: str | None = None
    ) -> tuple[PlanSummary, dict[str, int]]:
        self._called("cleanup", plan_id=plan_id, dry_run=dry_run, actor=actor)
        return PLAN, {"changed": 1}

    async def undo_cleanup(self, plan_id: str, *, actor: str | None = None) -> PlanSummary:
        self._called("undo_cleanup", plan_id=plan_id, actor=actor)
        return PLAN

    async def quarantine(self) -> list[PutAside]:
        self._called("quarantine")
        return [
            PutAside(Stage.INGEST, "IMG_1.HEIC", Role.ORIGINAL, "checksum_mismatch", 1, None, 2000),
            PutAside(Stage.SYNC, "IMG_2.HEIC", Role.EDITED, "copy_mismatch", None, "gone", 3000),
        ]

    async def retry_quarantined(self, *, actor: str | None = None) -> int:
        self._called("retry_quarantined", actor=actor)
        return 2

    async def reconcile(self, *, actor: str | None = None) -> tuple[dict[str, LibraryCensus], int]:
        self._called("reconcile", actor=actor)
        return {"PrimarySync": LibraryCensus(1_790_000_000_000, 23, 24)}, 3

    async def go_on(self, place: str, *, actor: str | None = None) -> bool:
        self._called("go_on", place=place, actor=actor)
        return True

    async def estimate(self) -> dict[MediaKind, KindEstimate]:
        self._called("estimate")
        return {
            "photo": KindEstimate(3, 9_000_000, 90.0, 3_000_000, measured=True),
            "video": KindEstimate(0, 0, 0.0, 0, measured=False),
        }

    async def adopt(self, request: Request, *, actor: str | None = None) -> Report:
        self._called("adopt", request=request, actor=actor)
        return Report(dry_run=request.dry_run, mode=request.mode, complete=True)

    async def restore(self, request: RestoreRequest, *, actor: str | None = None) -> RestoreReport:
        self._called("restore", request=request, actor=actor)
        return RestoreReport(
            dry_run=request.dry_run,
            complete=True,
            matched=3,
            assets=2,
            files=4,
            bytes=4000,
            restored=2,
            restored_bytes=2000,
            there=1,
            origins=Counter({"archive": 1, "gone": 1}),
            reasons=Counter({"no_good_copy": 1}),
        )

    async def restore_drill(
        self, *, files: int, seconds: float, actor: str | None = None
    ) -> dict[str, DrillResult]:
        self._called("restore_drill", files=files, seconds=seconds, actor=actor)
        return {"gone": DrillResult("gone", files, files - 1, 900, "copy_mismatch")}

    async def submit_code(self, code: str) -> None:
        self._called("submit_code", code=code)

    async def request_code(self, *, sms: bool = False) -> None:
        self._called("request_code", sms=sms)

    async def refresh(self) -> Snapshot:
        self._called("refresh")
        return self.snapshot

    async def try_target(self, config: TargetConfig) -> None:
        self._called("try_target")
        await probe_target(config)

    async def known_host_keys(self, config: TargetConfig) -> tuple[str, ...]:
        return self.host_keys

    async def forget_host_keys(self, target_id: str) -> None:
        self._called("forget_host_keys", target_id=target_id)

    async def set_gate(self, target_id: str, *, is_open: bool) -> None:
        self._called("set_gate", target_id=target_id, is_open=is_open)

    async def checkpoint(self) -> None:
        self._called("checkpoint")

    async def diagnostics(self) -> dict[str, Any]:
        return {"status": "idle"}
