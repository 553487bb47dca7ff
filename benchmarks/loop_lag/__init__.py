"""How late Home Assistant's event loop runs while all stages run."""
