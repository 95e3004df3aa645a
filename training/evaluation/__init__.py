"""What ``training.evaluate`` measures: likelihood, samples, completions."""

from __future__ import annotations

#: What a table shows: a number for each column.
Figures = dict[str, float]
