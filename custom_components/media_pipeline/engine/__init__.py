"""The engine: copies, proves, delivers and frees. Never imports Home Assistant."""
