# What Home Assistant provides as voluptuous at run time: an alias of probatio.
from probatio import *
