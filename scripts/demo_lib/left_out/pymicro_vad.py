"""In place of a library for voice assistants; see `scripts/demo_lib/hass.py`."""


class MicroVad:
    """Detects speech; there is none in the demo."""
