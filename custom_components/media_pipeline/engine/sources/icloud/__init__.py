"""An iCloud Photos library as a source."""
