"""Media files: is a file whole, what is in it, and making a smaller copy of it.

Nothing is imported here: the child process that decodes media loads this package and stays light.
Use ``container`` (whole or cut short), ``pool`` (compress and probe in a child process) and
``jobs`` (what goes into and comes out of the pool).
"""
