"""Our SFTP target against rclone, scp and rsync; see ``benchmarks/README.md``."""
