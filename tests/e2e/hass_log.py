"""What a Home Assistant's log says of this integration."""

import re

_RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (\w+) ", re.MULTILINE)
_OURS = re.compile(r"custom_components[./]media_pipeline|integration '?media_pipeline")
# Home Assistant says this of every integration that is not its own.
_ALWAYS = "We found a custom integration media_pipeline which has not been tested"


def complaints(log: str) -> list[str]:
    """Warnings, errors and tracebacks in which this integration has a part."""
    starts = list(_RECORD.finditer(log))
    ends = [start.start() for start in starts[1:]] + [len(log)]
    found = []
    for start, end in zip(starts, ends, strict=True):
        record = log[start.start() : end]
        loud = start[1] in {"WARNING", "ERROR", "CRITICAL"} or "Traceback" in record
        if loud and _OURS.search(record) and _ALWAYS not in record:
            found.append(record)
    return found
