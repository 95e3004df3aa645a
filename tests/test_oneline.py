"""`oneline`, run as users run it: through vpype's API and its command line."""

from __future__ import annotations

import numpy as np
import shapely
import vpype as vp
import vpype_cli


def ink(document: vp.Document) -> shapely.Geometry:
    return shapely.union_all([layer.as_mls() for layer in document.layers.values()])


def test_a_cross_is_one_line_over_all_of_it() -> None:
    before = vpype_cli.execute("line 0 0 10cm 10cm line 0 10cm 10cm 0")
    after = vpype_cli.execute("oneline", before)
    assert [len(layer) for layer in after.layers.values()] == [1]
    assert shapely.difference(ink(before), ink(after).buffer(1e-4)).length < 1e-6
    assert np.isclose(after.length(), before.length() * 1.5)
