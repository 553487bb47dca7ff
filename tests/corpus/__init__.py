"""Any folder of files through the container walk, the probe and compress; see ``__main__``."""
