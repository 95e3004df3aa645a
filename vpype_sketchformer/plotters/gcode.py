"""Profiles for vpype-gcode's `gwrite`: G-code for pen plotters that run GRBL 1.1.

=================  =======================  ==================
profile            pen down                 pen up
=================  =======================  ==================
``grbl_servo``     ``M3 S{s_down}``         ``M5``
``grbl_servo_s``   ``M3 S{s_down}``         ``M3 S{s_up}``
``grbl_z``         ``G1 Z{z_down} F{z_feed}``  ``G0 Z{z_up}``
=================  =======================  ==================

All of them write millimetres, with the y axis up and the origin in the bottom left corner of
the page. A drawing without a page stays where it is, turned over within its own height. The
pen is raised before anything moves; layers are drawn one after the other, with a pause (M0) at
the origin before each but the first, for another pen. Values in braces are the user's to set:

==========  =======  ========  =======================================================
value       default  unit      what it is
==========  =======  ========  =======================================================
``feed``    2000     mm/min    speed of drawing
``travel``  G0       G-code    how to move with the pen up: ``G0``, the machine's top
                               speed, or a feed, such as ``G1 F3000``
``dwell``   0.2      s         wait after every move of the pen
``s_down``  250      S         servo, pen down (``grbl_servo``, ``grbl_servo_s``)
``s_up``    100      S         servo, pen up (``grbl_servo_s``)
``z_down``  0        mm        height, pen down (``grbl_z``)
``z_up``    3        mm        height, pen up (``grbl_z``)
``z_feed``  600      mm/min    speed of lowering the pen (``grbl_z``)
==========  =======  ========  =======================================================

A value is looked for in the document's properties (``propset -g feed 1500``), then in those of
the layer, for a pen of its own (``propset -l 2 feed 800``), then in ``gwrite -d feed 1500``,
and at last in the table ``[gwrite.grbl_servo.default_values]`` of ``~/.vpype.toml`` or of
``vpype -c FILE``.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import click
import numpy as np
import vpype as vp

from vpype_sketchformer.plotters.gwrite_hooks import Condition, Template, Variables
from vpype_sketchformer.units import MM
from vpype_sketchformer.wording import plain

#: The profile for those who have chosen none.
DEFAULT = "grbl_servo"

#: A table of the user's with keys like these is a profile, not just settings for one of ours.
TEMPLATES = ("document_", "layer_", "line_", "segment")

#: How far a drawing may reach over the edge of its page, in mm: rounding, nothing visible.
TOLERANCE = 0.01

#: Coordinates without a page end here, in mm: GRBL reads numbers of eight digits.
LARGEST_COORDINATE = 99_999.0


class _Form(NamedTuple):
    """What a value has to look like, for GRBL takes no exponents and no units."""

    pattern: str
    words: str


_NUMBER = _Form(r"\d{1,5}(\.\d{1,17})?", "a plain number, 0 or more")
_HEIGHT = _Form(rf"-?{_NUMBER.pattern}", "a plain number of millimetres")
_FEED = _Form(r"[1-9]\d{0,5}(\.\d{1,17})?", "a plain number of millimetres in a minute")
_TRAVEL = _Form(rf"G0|G1 ?F{_FEED.pattern}", "'G0', or 'G1 F' and a feed")

_FORMS = {
    "feed": _FEED,
    "travel": _TRAVEL,
    "dwell": _NUMBER,
    "s_down": _NUMBER,
    "s_up": _NUMBER,
    "z_down": _HEIGHT,
    "z_up": _HEIGHT,
    "z_feed": _FEED,
}


def _check_tables(command: str) -> None:
    """Refuse a configuration, of ``vpype -c FILE`` too, whose values are not a table.

    Raises:
        click.UsageError: They are none; begins with the command's name.
    """
    for name in PROFILES:
        profile = vp.config_manager.config["gwrite"][name]
        values = profile.get("default_values", {}) if isinstance(profile, dict) else None
        if not isinstance(values, dict):
            raise click.UsageError(
                f"{command}: in your configuration, gwrite.{name} or its default_values is "
                "not a table."
            )


def check_lines(document: vp.Document, command: str) -> None:
    """Refuse a drawing that the machine would reject or leave its bed for.

    Raises:
        click.UsageError: The drawing is empty, nowhere, or reaches beyond its page; begins
            with the command's name.
    """
    lines = [line for layer in document.layers.values() for line in layer]
    if not any(map(len, lines)):
        raise click.UsageError(
            f"{command}: nothing to draw, there are no lines in the pipeline."
        )
    points = np.concatenate(lines).view(float).reshape(-1, 2) / MM
    if not np.isfinite(points).all():
        raise click.UsageError(f"{command}: a point of the drawing is not at a finite place.")
    if document.page_size is None:
        if np.abs(points).max() > LARGEST_COORDINATE:
            raise click.UsageError(f"{command}: the drawing is too large, or too far away.")
        return
    page = np.array(document.page_size) / MM
    beyond = max((-points).max(), (points - page).max())
    if beyond > TOLERANCE:
        raise click.UsageError(
            f"{command}: the drawing reaches {beyond:.2f} mm beyond its page; `layout` or "
            "`crop` it, or set another `pagesize`."
        )


def check_values(properties: Any, command: str) -> None:
    """Refuse values that would make the machine stop half-way.

    Raises:
        click.UsageError: A value is wrong; begins with the command's name.
    """
    for name, form in _FORMS.items():
        value = properties.get(name)
        if value is not None and not re.fullmatch(form.pattern, str(value)):
            raise click.UsageError(f"{command}: {name} is {str(value)!r}, not {form.words}.")


def _flip(*, within_page: bool) -> Condition:
    """Turn the y axis up: within the page, or within the drawing's height without one."""

    def holds(document: vp.Document) -> bool:
        _check_tables("gwrite")
        check_lines(document, "gwrite")
        for properties in (document.metadata, *(x.metadata for x in document.layers.values())):
            check_values(properties, "gwrite")
        return within_page == (document.page_size is not None)

    return Condition(holds)


def _checked(document: vp.Document, variables: Variables) -> Variables:
    """Check the values of the configuration and of ``-d``, which no condition sees."""
    check_values(variables, "gwrite")
    return variables


def _pen_change(document: vp.Document, variables: Variables) -> Variables | None:
    """Tell which layer is drawn next, if this one has been drawn: empty ones need no pen."""
    drawn = [lid for lid, layer in document.layers.items() if len(layer)]
    following = dict(pairwise(drawn)).get(variables["layer_id"])
    return None if following is None else {**variables, "next_layer_id": following}


def _profile(pen_down: str, pen_up: str, **values: float) -> dict[str, Any]:
    """Return a profile.

    It does not end in M2: that stops the spindle, which drops a pen held up by S.
    """
    pen_down, pen_up = (f"{move}\nG4 P{{dwell}}\n" for move in (pen_down, pen_up))
    home = "{travel} X0 Y0\n"
    return {
        "document_start": Template(f"G21 G90 G94 G17\n{pen_up}", _checked),
        "segment_first": "{travel} X{x:z.3f} Y{y:z.3f}\n" + pen_down,
        "segment": "G1 X{x:z.3f} Y{y:z.3f} F{feed}\n",
        "line_end": pen_up,
        "layer_join": Template(home + "M0 (pen for layer {next_layer_id})\n", _pen_change),
        "document_end": home,
        "unit": "mm",
        "vertical_flip": _flip(within_page=True),
        "invert_y": _flip(within_page=False),
        "default_values": {"feed": 2000, "travel": "G0", "dwell": 0.2, **values},
    }


PROFILES = {
    "grbl_servo": _profile("M3 S{s_down}", "M5", s_down=250),
    "grbl_servo_s": _profile("M3 S{s_down}", "M3 S{s_up}", s_down=250, s_up=100),
    "grbl_z": _profile("G1 Z{z_down} F{z_feed}", "G0 Z{z_up}", z_down=0, z_up=3, z_feed=600),
}


def find(name: str | None, command: str) -> dict[str, Any]:
    """Return the profile of a name, with the user's values; without a name, the default.

    Raises:
        click.UsageError: It is not one of the `PROFILES`, or the user has changed more of it
            than values; begins with the command's name.
    """
    configured = vp.config_manager.config["gwrite"]
    name = name or configured.get("default_profile", DEFAULT)
    if not isinstance(name, str) or name not in PROFILES:
        raise click.UsageError(
            f"{command}: {name!r} is not a profile with a pen; "
            f"there are {', '.join(PROFILES)}."
        )
    _check_tables(command)
    profile: dict[str, Any] = configured[name]
    own = [
        key
        for key, value in profile.items()
        if key != "default_values" and value is not PROFILES[name].get(key)
    ]
    if own:
        raise click.UsageError(
            f"{command}: your configuration changes {', '.join(own)} of {name}, which only "
            "`gwrite` understands; default_values are for both."
        )
    return profile


def stroke(
    profile: Mapping[str, Any], points: Iterable[complex], values: Mapping[str, Any]
) -> tuple[list[str], list[str], list[str]]:
    """Write a stroke as gwrite does.

    Args:
        profile: One of the `PROFILES`.
        points: The stroke in mm, y up.
        values: The variables of the templates.

    Returns:
        The lines up to the pen being down, those along the stroke, those that raise the pen.
    """
    first, *others = ({**values, "x": point.real, "y": point.imag} for point in points)
    return (
        profile["segment_first"].format_map(first).splitlines(),
        [profile["segment"].format_map(place).rstrip("\n") for place in others],
        profile["line_end"].format_map(values).splitlines(),
    )


def values_of(
    profile: Mapping[str, Any], document: vp.Document, layer: vp.LineCollection
) -> dict[str, Any]:
    """Return the variables of a profile's templates, found where gwrite finds them."""
    return {**profile["default_values"], **layer.metadata, **document.metadata}


def register() -> None:
    """Offer the profiles to gwrite, leaving all that the user has configured as it is.

    A profile of the user's own with the name of one of these replaces it; a table of that name
    without templates holds settings and values that go before these.
    """
    configured = _table(vp.config_manager.config, "gwrite", "")
    for name, profile in PROFILES.items():
        own = _table(configured, name, "gwrite.")
        if not any(key.startswith(TEMPLATES) for key in own):
            changed = [key for key in own if own[key] is not profile.get(key)]
            for key in [key for key in changed if not _is_setting(key, own[key])]:
                _leave_out(f"gwrite.{name}.{key}", own.pop(key), "not what gwrite can use")
            values = profile["default_values"] | _table(
                own, "default_values", f"gwrite.{name}."
            )
            configured[name] = profile | own | {"default_values": values}
    configured.setdefault("default_profile", DEFAULT)


def _table(parent: dict[str, Any], key: str, where: str) -> dict[str, Any]:
    """Return a table of the user's configuration, made where there is none."""
    value = parent.setdefault(key, {})
    if not isinstance(value, dict):
        _leave_out(where + key, value, "not a table")
        value = parent[key] = {}
    return value


def _leave_out(key: str, value: Any, why: str) -> None:
    """Say that a value of the user's configuration is left out.

    It would be an error, but vpype does not load a plug-in at all that raises one.
    """
    # Not logging.warning, which would settle how vpype is going to log.
    logging.getLogger("vpype-sketchformer").warning(
        f"{plain(key)} in your ~/.vpype.toml is {plain(repr(value))}, {why}; it is left out"
    )


def _is_setting(key: str, value: Any) -> bool:
    """Tell whether gwrite can use a setting of a profile; it does not look itself."""
    if key.startswith(("offset_", "scale_")):
        return type(value) in (int, float) and abs(value) < math.inf
    if key.startswith("invert_") or key.endswith("_flip"):
        return isinstance(value, bool)
    if key == "unit":
        try:
            return isinstance(value, str) and vp.convert_length(value) > 0
        except ValueError:
            return False
    return True
