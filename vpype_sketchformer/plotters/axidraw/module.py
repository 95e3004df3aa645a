"""The AxiDraw and the NextDraw, driven by their maker's own Python modules.

`pyaxidraw` is for AxiDraws; `nextdraw`, its successor, is for NextDraws and AxiDraws. Neither
is on the package index and neither is part of this plug-in: the user installs one. What is
used of `pyaxidraw` is what its documentation promises for the plot context of the AxiDraw
Python API 3.9 (axidraw.com/doc/py_api): `plot_setup` with a string of SVG, `options`,
`keyboard_pause`, `plot_run(True)`, `errors.code`, and the variables that `plot_run` leaves;
beside it `params`, the values of its configuration. `nextdraw` has the same context under
other names; no machine of that kind was there to try it on.

The plot context rather than the interactive one, because the module then plans the speeds,
understands the names of layers, estimates the time, stops at the pause button or at Ctrl-C
with the pen up, and returns an SVG that knows how far it got (`res_plot`).
"""

from __future__ import annotations

import contextlib
import importlib
import signal
import tempfile
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vpype_sketchformer.plotters.axidraw import board
from vpype_sketchformer.wording import OneLineError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from vpype_sketchformer.plotters.job import Stroke

INCH = 25.4


class Model(NamedTuple):
    """One of the machines, by the number that `options.model` takes.

    Attributes:
        names: What it is sold as.
        key: What the module's configuration calls it.
        inches: How far it reaches along the long side and the short one, where the
            configuration does not say.
    """

    names: str
    key: str
    inches: tuple[float, float]


#: From the documentation of `options.model`.
MODELS = {
    1: Model("V2, V3 or SE/A4", "default", (11.81, 8.58)),
    2: Model("V3/A3 or SE/A3", "V3A3", (16.93, 11.69)),
    3: Model("V3 XLX", "V3XLX", (23.42, 8.58)),
    4: Model("MiniKit", "MiniKit", (6.30, 4.00)),
    5: Model("SE/A1", "SEA1", (34.02, 23.39)),
    6: Model("SE/A2", "SEA2", (23.39, 17.01)),
    7: Model("V3/B6", "V3B6", (7.48, 5.51)),
    8: Model("NextDraw 8511", "8511", (11.81, 8.58)),
    9: Model("NextDraw 1117", "1117", (16.93, 11.69)),
    10: Model("NextDraw 2234", "2234", (34.02, 23.39)),
}


@dataclass(frozen=True)
class Maker:
    """One of the maker's modules, and what is different in it.

    Attributes:
        package: What is installed.
        module: What is imported.
        name: The class in it.
        models: The numbers of the models that it runs.
        fastest: Its highest speeds, in percent.
        penlifts: What it knows as `options.penlift`.
        by_hand: The mode that moves by hand, and the option that says what.
        archive: Where it is offered.
        documentation: Where it is described.
    """

    package: str
    module: str
    name: str
    models: range
    fastest: int
    penlifts: tuple[int, ...]
    by_hand: tuple[str, str]
    archive: str
    documentation: str


MAKERS = (
    Maker(
        "pyaxidraw",
        "pyaxidraw.axidraw",
        "AxiDraw",
        range(1, 8),
        110,
        (1, 2, 3),
        ("manual", "manual_cmd"),
        "https://cdn.evilmadscientist.com/dl/ad/public/AxiDraw_API.zip",
        "https://axidraw.com/doc/py_api",
    ),
    Maker(
        "nextdraw",
        "nextdraw",
        "NextDraw",
        range(1, 11),
        100,
        (1, 3),
        ("utility", "utility_cmd"),
        "https://software-download.bantamtools.com/nd/api/nextdraw_api.zip",
        "https://bantam.tools/nd_py",
    ),
)

#: vpype has put the strokes in order, and each of them is plotted once, as it is.
FIXED = {
    "reordering": 4,
    "random_start": False,
    "hiding": False,
    "copies": 1,
    "digest": 0,
    "rendering": 0,
}

#: Why a plot ended early, by `errors.code`. 1 is a pause by the name of a layer.
STOPS = {
    1: "the plot was paused by the name of a layer",
    101: "no AxiDraw was found: connect it by USB, switch it on, end what else uses it",
    102: "stopped by the pause button",
    103: "stopped by you",
    104: "the AxiDraw does not answer any more: its USB cable or its power is out; "
    "the pen may still be down, lift it by hand",
    105: "the motors have lost their power",
    106: "the machine did not find its home",
}
NOT_FOUND, BUTTON, KEYBOARD, UNPLUGGED = 101, 102, 103, 104

#: How far a drawing may reach over an edge, in mm: rounding, nothing visible.
TOLERANCE = 0.01

#: How much of a drawing may be missing from what the module would draw, for it leaves out
#: points that lie on a line.
MISSING = 0.01

SVG = "http://www.w3.org/2000/svg"
INKSCAPE = "http://www.inkscape.org/namespaces/inkscape"


class AxiDrawError(OneLineError):
    """The AxiDraw, or its module, cannot do what it should; the message is one clear line."""


class Run(NamedTuple):
    """What one run of the module came to.

    Attributes:
        code: 0 if it went to the end, or why not, see `STOPS`; None if the module does not
            say.
        svg: The SVG with the progress that it can be resumed from.
        seconds: How long the plot takes, by the module's estimate.
        drawn: How far the pen moves on the paper, in mm.
        travelled: How far it moves above, in mm.
        lifts: How often the pen is lifted.
    """

    code: int | None
    svg: str
    seconds: float
    drawn: float
    travelled: float
    lifts: int


@dataclass(frozen=True)
class AxiDraw:
    """An AxiDraw and how to plot with it.

    Attributes:
        options: The module's own options, by their documented names; those that are not
            there are as its configuration has them.
        config: A configuration file of the module's, or None for its own.
    """

    options: Mapping[str, Any]
    config: Path | None = None

    @cached_property
    def maker(self) -> Maker:
        """The module that drives it.

        Raises:
            AxiDrawError: There is none.
        """
        return find()

    @cached_property
    def _configured(self) -> Any:
        """The module's object without a drawing, to look at its settings."""
        return self._set_up(None)

    @property
    def model(self) -> int:
        """The number of the model, a key of `MODELS`.

        Raises:
            AxiDrawError: The module is not there, or its configuration has another model.
        """
        number = int(self._configured.options.model)
        if number not in self.maker.models:
            raise AxiDrawError(f"the configuration says model {number}; give --model.")
        return number

    @property
    def travel(self) -> tuple[float, float]:
        """How far it reaches along the long side and the short one, in mm, as configured."""
        model = MODELS[self.model]
        x, y = (
            float(getattr(self._configured.params, f"{axis}_travel_{model.key}", usual))
            for axis, usual in zip("xy", model.inches, strict=True)
        )
        return INCH * x, INCH * y

    @property
    def rotates(self) -> bool:
        """Whether a page that is taller than wide is turned onto the bed."""
        return bool(self._configured.options.auto_rotate)

    def setting(self, name: str) -> int:
        """Return one of the module's options, as configured."""
        return int(getattr(self._configured.options, name))

    def run(
        self, svg: str, mode: str = "plot", *, preview: bool = False, **options: Any
    ) -> Run:
        """Plot, resume (`res_plot`), or move the carriage home (`res_home`).

        Ctrl-C stops the plot as the pause button does, with the pen up, and returns.

        Args:
            svg: The drawing; to resume or to go home, the one that the last run returned.
            mode: One of the module's modes.
            preview: Whether to find out how long it takes instead, without the machine.
            options: Other values of the module's options for this run.

        Raises:
            AxiDrawError: The module failed; the pen has been lifted where that was possible.
        """
        ad = self._set_up(svg)
        ad.options.mode = mode
        ad.options.preview = preview
        for name, value in options.items():
            setattr(ad.options, name, value)
        ad.keyboard_pause = not preview
        try:
            with _interrupts_restored():
                output = ad.plot_run(True)
        except BaseException as error:
            if not preview:
                self.lift()
            if isinstance(error, Exception):
                raise AxiDrawError(
                    f"{self.maker.package} failed: {error or type(error).__name__}"
                ) from error
            raise
        # NextDraw's documentation does not promise all of these.
        code = getattr(getattr(ad, "errors", None), "code", None)
        seconds = getattr(ad, "time_estimate", 0.0)
        drawn = getattr(ad, "distance_pendown", 0.0)
        travelled = getattr(ad, "distance_total", drawn) - drawn
        lifts = getattr(ad, "pen_lifts", 0)
        return Run(code, output, seconds, 1000 * drawn, 1000 * travelled, lifts)

    def lift(self) -> None:
        """Lift the pen, if the machine answers."""
        with contextlib.suppress(Exception):
            self.by_hand("raise_pen")

    def by_hand(self, command: str, **options: Any) -> None:
        """Do one of the things that the module does without a drawing.

        Args:
            command: Such as ``raise_pen``, ``lower_pen``, ``walk_mmx`` or ``walk_home``.
            options: Values of the module's options.

        Raises:
            AxiDrawError: The module failed, or there is no machine.
        """
        mode, option = self.maker.by_hand
        ad = self._set_up(None)
        for name, value in {"mode": mode, option: command, **options}.items():
            setattr(ad.options, name, value)
        try:
            with _interrupts_restored():
                ad.plot_run()
        except Exception as error:
            raise AxiDrawError(
                f"{self.maker.package} failed: {error or type(error).__name__}"
            ) from error
        code = getattr(getattr(ad, "errors", None), "code", 0)
        if code:
            raise AxiDrawError(STOPS.get(code, f"stopped with the module's code {code}"))

    def walk(self, way: complex) -> None:
        """Move the carriage, pen up.

        Args:
            way: Along the long side and the short one, x + iy in mm.

        Raises:
            AxiDrawError: The module failed, or the carriage has not moved so far.
        """
        self.by_hand("raise_pen")
        for command, part in (("walk_mmx", complex(way.real)), ("walk_mmy", 1j * way.imag)):
            if abs(part) <= TOLERANCE:
                continue
            before = self.look()
            self.by_hand(command, dist=part.real or part.imag)
            after = self.look()
            if before and after and before.place is not None and after.place is not None:
                ways = (after.place, after.place - before.place)  # the count may begin anew
                if min(abs(each - part) for each in ways) > 1:
                    raise AxiDrawError("the carriage did not go where it was sent")

    def look(self) -> board.Board | None:
        """Ask the board for its power and its place; None if it does not answer."""
        return board.look(self.options.get("port"))

    def _set_up(self, svg: str | None) -> Any:
        """Return the module's object; a new one, for it keeps the last drawing."""
        maker = self.maker
        ad = getattr(_imported(maker), maker.name)()
        if maker.package == "pyaxidraw" and not hasattr(ad, "errors"):
            raise AxiDrawError(
                f"pyaxidraw is older than 3.9; install {maker.archive} with --upgrade"
            )
        try:
            ad.plot_setup(svg)
            if self.config is not None:
                _configure(ad, self.config)
        except (Exception, SystemExit) as error:
            raise AxiDrawError(f"{maker.package} does not start: {_words(error)}") from error
        if hasattr(getattr(ad, "params", None), "clip_to_page"):
            ad.params.clip_to_page = (
                False  # it was checked, and clipping loses what is on edges
            )
        for name, value in {**FIXED, **self.options}.items():
            setattr(ad.options, name, value)
        return ad


def _configure(ad: Any, path: Path) -> None:
    """Load a configuration file over the module's own values, for it wants all of them."""
    kinds = (bool, int, float, str, tuple, list, dict, type(None))
    own = {
        name: value
        for name, value in vars(ad.params).items()
        if not name.startswith("_") and isinstance(value, kinds)
    }
    text = "".join(f"{name} = {value!r}\n" for name, value in own.items())
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / path.name
        whole.write_text(f"{text}\n{path.read_text(encoding='utf-8')}", encoding="utf-8")
        ad.load_config(str(whole))


def find() -> Maker:
    """Return the maker's module that is installed: `nextdraw` only where it is the only one.

    Raises:
        AxiDrawError: None is, or it is broken.
    """
    missing = None
    for maker in MAKERS:
        try:
            _imported(maker)
        except ModuleNotFoundError as error:
            if error.name != maker.package:
                raise AxiDrawError(f"{maker.package} does not load: {error}") from error
            missing = error
        else:
            return maker
    first = MAKERS[0]
    raise AxiDrawError(
        "the AxiDraw's maker offers the module pyaxidraw, which is not installed: "
        f"`python -m pip install {first.archive}` does that (see {first.documentation}); a "
        "NextDraw needs the module nextdraw, from its maker, too"
    ) from missing


def _imported(maker: Maker) -> Any:
    return importlib.import_module(maker.module)


def _words(error: BaseException) -> str:
    """Return an error's message on one line, or its name."""
    return " ".join(str(error).split()) or type(error).__name__


def model_number(text: str, maker: Maker) -> int:
    """Return the number of a model that was given by its number or its name.

    Raises:
        AxiDrawError: There is no such model, or there are several.
    """
    numbers = [n for n in maker.models if text.strip() == str(n)]
    if not numbers:
        wanted = text.casefold().replace(" ", "")
        numbers = [
            n for n in maker.models if wanted in MODELS[n].names.casefold().replace(" ", "")
        ]
    if len(numbers) != 1:
        known = "; ".join(f"{n}: {MODELS[n].names}" for n in maker.models)
        what = "several models" if numbers else "no model"
        raise AxiDrawError(
            f"--model: {text!r} is {what} of {maker.package}, there are {known}."
        )
    return numbers[0]


def to_svg(strokes: Sequence[Stroke], page: tuple[float, float], name: str) -> str:
    """Write one layer for the module.

    In inches, the module's own unit: it keeps few digits of the scale of a document, which in
    any other unit moves the page's far edges, and cuts off what is on them.

    Args:
        strokes: Points x + iy in mm.
        page: Width and height in mm.
        name: The layer's name, in which the module reads its wishes.
    """
    width, height = (side / INCH for side in page)
    root = ET.Element(
        "svg",
        {
            "xmlns": SVG,
            "xmlns:inkscape": INKSCAPE,
            "width": f"{width:.10f}in",
            "height": f"{height:.10f}in",
            "viewBox": f"0 0 {width:.10f} {height:.10f}",
        },
    )
    layer = {"inkscape:groupmode": "layer", "inkscape:label": name, "fill": "none"}
    group = ET.SubElement(root, "g", {**layer, "stroke": "#000000"})
    for stroke in strokes:
        x = (stroke.real / INCH).clip(0, width)
        y = (stroke.imag / INCH).clip(0, height)
        points = " ".join(f"{a:.10f},{b:.10f}" for a, b in zip(x, y, strict=True))
        ET.SubElement(group, "polyline", {"points": points})
    return ET.tostring(root, encoding="unicode")


def on_the_bed(
    points: NDArray[np.complex128], page: tuple[float, float], *, rotate: bool
) -> NDArray[np.complex128]:
    """Return where points of a page are plotted, x + iy in mm from the home corner.

    The module turns a page that is taller than wide by a quarter, counter-clockwise
    (`options.auto_rotate`).

    Args:
        points: x + iy in mm, y down.
        page: Width and height in mm.
        rotate: Whether such pages are turned.
    """
    width, height = page
    return points * -1j + width * 1j if rotate and height > width else points


def excess(points: NDArray[np.complex128], size: tuple[float, float]) -> float:
    """Return how far points lie outside of a rectangle at the origin, in mm, at least 0."""
    width, height = size
    beyond = (-points.real, -points.imag, points.real - width, points.imag - height)
    return max(0.0, *(float(side.max()) for side in beyond))


@contextlib.contextmanager
def _interrupts_restored() -> Iterator[None]:
    """Give Ctrl-C back its meaning: the module keeps it for itself.

    Beside the main thread, where signals cannot be taken, it is kept from trying.
    """
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGINT)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, handler)
        return
    take = signal.signal

    def take_if_possible(number: int, handler: Any) -> Any:
        if threading.current_thread() is threading.main_thread():
            return take(number, handler)
        return signal.getsignal(number)

    signal.signal = take_if_possible  # type: ignore[assignment]
    try:
        yield
    finally:
        signal.signal = take
