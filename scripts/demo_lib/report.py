"""The table at the end: what Media Pipeline says beside what was measured."""

from dataclasses import dataclass, field
from typing import Any

from .live import human_bytes


@dataclass(frozen=True, slots=True)
class Row:
    """One number, twice."""

    what: str
    said: float
    measured: float
    unit: str = ""
    note: str = ""

    @property
    def agrees(self) -> bool:
        """Whether both are the same; percentages to the shown two decimals."""
        if self.unit == "%":
            return abs(self.said - self.measured) < 0.01
        return self.said == self.measured

    def shown(self, value: float) -> str:
        """The number as people read it."""
        if self.unit == "B":
            return human_bytes(value)
        return f"{value:.2f} %" if self.unit == "%" else f"{value:,.0f}"


@dataclass(slots=True)
class Report:
    """All numbers of a demo."""

    rows: list[Row] = field(default_factory=list)
    kept_because: dict[str, int] = field(default_factory=dict)
    """Why the other assets may not be freed: reason → assets."""
    seconds: dict[str, float] = field(default_factory=dict)
    run_outcome: str = ""

    def add(self, what: str, said: float, measured: float, unit: str = "", note: str = "") -> None:
        """One more number."""
        self.rows.append(Row(what, said, measured, unit, note))

    @property
    def agrees(self) -> bool:
        """Whether the run completed and every number agrees."""
        return self.run_outcome == "completed" and all(row.agrees for row in self.rows)

    def value(self, what: str) -> float:
        """A measured number by its name."""
        return next(row.measured for row in self.rows if row.what == what)

    def table(self) -> str:
        """For the terminal."""
        head = ("", "catalog", "measured", "")
        body = [
            (
                row.what,
                row.shown(row.said),
                row.shown(row.measured),
                ("ok" if row.agrees else "DIFFERENT") + (f"  {row.note}" if row.note else ""),
            )
            for row in self.rows
        ]
        widths = [max(len(line[column]) for line in [head, *body]) for column in range(3)]
        first, second, third = widths
        lines = [
            f"  {what:<{first}}  {said:>{second}}  {measured:>{third}}  {verdict}".rstrip()
            for what, said, measured, verdict in [head, *body]
        ]
        if self.kept_because:
            reasons = ", ".join(f"{name} {count}" for name, count in self.kept_because.items())
            lines.append(f"  Not freed, and why: {reasons}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "agrees": self.agrees,
            "run_outcome": self.run_outcome,
            "seconds": {name: round(value, 2) for name, value in self.seconds.items()},
            "kept_because": self.kept_because,
            "rows": [
                {
                    "what": row.what,
                    "catalog": row.said,
                    "measured": row.measured,
                    "unit": row.unit,
                    "agrees": row.agrees,
                }
                for row in self.rows
            ],
        }
