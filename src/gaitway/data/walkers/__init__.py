"""Walkers: synthetic people who walk, for everybody without a licensed data set.

`load` opens the set that ships with the library. The rest renders new ones, which needs the extra `walkers`.
"""

from gaitway.data.walkers.generate import CONDITIONS, Recording, record
from gaitway.data.walkers.shipped import load
from gaitway.data.walkers.writing import write_raw_tree, write_store

__all__ = ["CONDITIONS", "Recording", "load", "record", "write_raw_tree", "write_store"]
