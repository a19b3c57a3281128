"""Pictures and the HTML report of a run."""

from gaitway.report.contents import Contents, Row, comparison
from gaitway.report.page import FILE_NAME, render, write_report
from gaitway.report.searches import Match, Search, example_searches, search

__all__ = [
    "FILE_NAME",
    "Contents",
    "Match",
    "Row",
    "Search",
    "comparison",
    "example_searches",
    "render",
    "search",
    "write_report",
]
