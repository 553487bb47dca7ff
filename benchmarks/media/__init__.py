"""Our compressing against Debian's own tools, at equal size and quality."""
