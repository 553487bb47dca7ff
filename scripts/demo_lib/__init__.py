"""The demo: the whole main job in a real Home Assistant; the end-to-end tests drive the same."""


class DemoFailed(Exception):
    """Something in the demo did not go as it must; the text says what."""
