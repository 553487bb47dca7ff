"""Our ingest against icloudpd, on the same stand-in for iCloud."""
