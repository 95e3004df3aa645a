"""Import every module of the plug-in where there is no torch, as on an artist's machine."""

from __future__ import annotations

import importlib
import importlib.util
import pkgutil

import vpype_sketchformer


def main() -> None:
    """Import everything; any error ends the program."""
    if importlib.util.find_spec("torch"):
        raise SystemExit("this check needs an environment without torch")
    prefix = f"{vpype_sketchformer.__name__}."
    names = [m.name for m in pkgutil.walk_packages(vpype_sketchformer.__path__, prefix)]
    for name in names:
        importlib.import_module(name)
    print(f"imported {len(names)} modules without torch")


if __name__ == "__main__":
    main()
