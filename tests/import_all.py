"""Import every module of the plug-in where there is no torch, as on an artist's machine.

Modules that need an extra are left out where it is not installed.
"""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil

import vpype_sketchformer

#: Packages that come with extras.
EXTRAS = {"aiohttp"}


def main() -> None:
    """Import everything; any error ends the program."""
    if importlib.util.find_spec("torch"):
        raise SystemExit("this check needs an environment without torch")
    prefix = f"{vpype_sketchformer.__name__}."
    names = [m.name for m in pkgutil.walk_packages(vpype_sketchformer.__path__, prefix)]
    for name in names:
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name not in EXTRAS:
                raise
    print(f"imported {len(names)} modules without torch")


if __name__ == "__main__":
    main()
