"""Object stores that tests use: real servers of others, and a double where there is none."""
