"""In place of a library for voice assistants; see `scripts/demo_lib/hass.py`."""


class AudioProcessor:
    """Cleans sound; there is none in the demo."""
