"""Hooks into vpype-gcode's `gwrite`: where a profile sees the drawing that is being written.

A profile of gwrite is a table of strings, numbers and booleans: gwrite looks at a handful of
booleans, opens the output file, and then fills in one template after the other, a string each,
from the values of the configuration and the properties of the document and its layer. Nothing
in that lets a profile look at the drawing. Three things that a pen plotter needs depend on it:

*Refusing a drawing.* A coordinate that is not a number, a drawing that reaches over the edge
of its page or is empty, a feed of ``0`` or ``fast``: the machine would stop half-way, or leave
its bed. It has to be refused before gwrite opens the file, for that empties it, and the user's
last good file would be lost. The booleans are all that gwrite looks at before.

*Which way is up.* G-code has y up, vpype has it down. gwrite turns a drawing over within its
page (``vertical_flip``) and fails where there is none, or within its own height
(``invert_y``), which moves it on the page. A profile has to choose without knowing; it is
right for a drawing with a page or for one without.

*Changing pens.* ``layer_join`` is written between two layers, also where one of them is empty:
the plotter would pause and wait for a pen that draws nothing. Nor does it know which layer
comes next, and so which pen to ask for.

What gwrite does with those entries is the way in. It asks a boolean whether it is true, which
any Python object answers by its ``__bool__``: `Condition`. And it fills in a template by
``format_map``, which a class derived from ``str`` may do in its own way: `Template`. Both ask
vpype for the drawing, since gwrite shows them none of it: the state of the pipeline is that of
`vpype_cli.State.get_current`, which is public. To everything else, a user's configuration that
changes one value, `vpype.config_manager`, printing, they are a truth value and a string.

That leans on four things that gwrite does and nobody has promised: it looks at the booleans
before it opens the file, it asks by truth rather than by ``is True``, it fills in by
``format_map``, and it does not copy its profiles as text. The tests of this module fail on the
day that one of them changes. ``docs/vpype-wishes.md`` says what would replace it: a profile
that may name a function to be called first, and templates between layers that know both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import vpype as vp
import vpype_cli

#: The values that gwrite fills in templates with, as far as they are known at that point.
Variables = Mapping[str, Any]


def _document() -> vp.Document:
    """Return the drawing being written, untransformed."""
    return vpype_cli.State.get_current().document


class Condition:
    """A boolean of a profile that depends on the drawing, and may refuse it.

    Args:
        holds: What tells whether it is true. It is asked before gwrite opens the file, and
            whatever it raises leaves that as it is.
    """

    def __init__(self, holds: Callable[[vp.Document], bool]) -> None:
        self._holds = holds

    def __bool__(self) -> bool:
        return self._holds(_document())


class Template(str):
    """A template of a profile that looks at the drawing before it is filled in.

    Args:
        text: The template.
        prepare: What returns the variables to fill it in with, given those that gwrite has,
            or None to write nothing.
    """

    _prepare: Callable[[vp.Document, Variables], Variables | None]

    def __new__(
        cls, text: str, prepare: Callable[[vp.Document, Variables], Variables | None]
    ) -> Template:
        """Derive a string, which is made before there is anything to initialise."""
        template = super().__new__(cls, text)
        template._prepare = prepare
        return template

    def format_map(self, variables: Variables) -> str:  # type: ignore[override]
        """Fill in the template, or return nothing."""
        prepared = self._prepare(_document(), variables)
        return "" if prepared is None else super().format_map(prepared)
