"""Many strokes to one unbroken line.

The strokes become a graph of pieces between the places where they meet (`graph`). Ends
that nearly touch are joined, parts that lie apart are bridged (`bridging`), and pieces are
chosen to be gone over twice (`postman`), so that each drawing is one path. The path passes
every crossing as straight as it can (`trails`), and is written down. If that is wished, its
bridges are bowed (`bows`), what it comes back from is a loop (`loops`), its joints are rounded
(`rounding`), and it is led on at both ends (`tails`).
"""

from vpype_sketchformer.oneline.bridging import Limits
from vpype_sketchformer.oneline.unbroken import StrokeError, Unbroken, check, unbroken

__all__ = ["Limits", "StrokeError", "Unbroken", "check", "unbroken"]
