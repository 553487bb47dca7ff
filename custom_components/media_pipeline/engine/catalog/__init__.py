"""Everything known about assets, files, copies, runs and plans. It is the queue, too."""
