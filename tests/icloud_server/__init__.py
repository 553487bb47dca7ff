"""A stand-in for iCloud that unmodified clients reach under Apple's own host names."""
