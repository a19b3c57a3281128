"""Data sets: a module per way in which recordings are distributed, from its files to a store."""
