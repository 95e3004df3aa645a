"""Sketches on a page: grids, and designs packed by their shapes."""
