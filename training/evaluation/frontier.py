"""The picture that settings are chosen from: recognised against variety."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from training.evaluation import Figures
from training.evaluation.conditions import Condition, title

#: What is drawn over what: the figure's name, and what stands at the axis.
ACROSS = (
    ("variety", "variety of features (people's drawings: 1)"),
    ("of shapes", "variety of shapes (people's drawings: 1)"),
)
UP = (
    ("raster top 1", "recognised by the raster judge"),
    ("sequence top 1", "recognised by the sequence judge"),
)


def draw(
    conditions: Sequence[Condition],
    figures: Sequence[Figures],
    real: Figures,
    name: str,
    path: Path,
) -> None:
    """Draw each condition as a dot, those that differ in temperature alone joined by a line.

    Args:
        conditions: How samples were drawn.
        figures: What was measured of each, see ``samples.compare``.
        real: The same of real drawings.
        name: What stands over the picture.
        path: The picture, of the kind that its name ends with.
    """
    # Letters as letters, and names that do not change from one drawing to the next.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": name, "font.size": 9}):
        picture = Figure(figsize=(10, 9), layout="constrained")
        picture.suptitle(name)
        panels = picture.subplots(len(UP), len(ACROSS), sharex="col", sharey="row")
        for row, (up, up_label) in zip(panels, UP, strict=True):
            row[0].set_ylabel(up_label)
            for panel, (across, _) in zip(row, ACROSS, strict=True):
                _panel(panel, conditions, figures, real, (across, up))
        for panel, (_, across_label) in zip(panels[-1], ACROSS, strict=True):
            panel.set_xlabel(across_label)
        panels[0, 0].legend(loc="lower left")
        picture.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)


def _panel(
    panel: Axes,
    conditions: Sequence[Condition],
    figures: Sequence[Figures],
    real: Figures,
    names: tuple[str, str],
) -> None:
    across, up = names
    for label, rows in _families(conditions).items():
        line = panel.plot(
            [figures[i][across] for i in rows],
            [figures[i][up] for i in rows],
            "o-",
            label=label,
            linewidth=1,
        )
        for i in rows:
            panel.annotate(
                f"{conditions[i]['temperature']:g}",
                (figures[i][across], figures[i][up]),
                xytext=(4, 4),
                textcoords="offset points",
                color=line[0].get_color(),
            )
    panel.plot(real[across], real[up], "k*", markersize=14, label="people's drawings")
    panel.grid(alpha=0.3)


def _families(conditions: Sequence[Condition]) -> Mapping[str, Sequence[int]]:
    """Put together what differs in temperature alone, from the lowest to the highest."""
    families: dict[str, list[int]] = {}
    for i in sorted(range(len(conditions)), key=lambda i: conditions[i]["temperature"]):
        rest = {name: v for name, v in conditions[i].items() if name != "temperature"}
        families.setdefault(title(rest) or "temperature", []).append(i)
    return families
