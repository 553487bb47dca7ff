"""The voluptuous module as Home Assistant provides it at run time: an alias of probatio."""

from probatio import *
