"""Parity: the numbers that published implementations compute, as cases, and what runs them.

`python -m tests.parity FOLDER...` runs every case found in the folders; `cases/` holds the copies that the test suite
runs. To teach the harness a new kind of case, add a module here that is named after the family of the cases
(`protocol_losses.py`) and has a dictionary `RUNNERS`: case name (or shell pattern) -> function from a `Case` to the
outputs and the scalars that Gaitway computes.
"""
