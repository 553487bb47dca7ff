"""Bytes on their way from a source's host into part files, with everything checked on arrival.

``pool`` hands downloads to child processes (``child`` is this side of one, ``worker`` the other);
``stream`` does the same work in this process, for folders and where no child can be had.
"""
