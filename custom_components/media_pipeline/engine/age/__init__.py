"""Encrypting files in the age format, so that ``age -d -i key.txt`` opens them without us.

The format: https://age-encryption.org/v1. There is no wheel of an age library for Alpine Linux, on
which Home Assistant runs, so its few steps are written here over ``cryptography``.
"""
