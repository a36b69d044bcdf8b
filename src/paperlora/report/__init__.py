"""The HTML report: what was judged, with its intervals and its evidence, in one file that opens offline."""
