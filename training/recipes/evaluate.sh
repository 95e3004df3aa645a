#!/usr/bin/env bash
# Every number about models in the README, the model card and training/LOG.md, on held-out test
# drawings. Run from the top of the checkout after training/recipes/quickdraw.sh.
set -euo pipefail
data=data/quickdraw.safetensors

# The judges in training/judges.
python -m training.judge raster $data
python -m training.judge sequence $data --passes 1

# The model that ships: likelihood, the curve of temperatures, completion.
python -m training.evaluate quickdraw $data --per-class 2

# The curves of guidance and best-of.
python -m training.evaluate quickdraw $data --part samples --per-class 2 --seeds 1 \
    --temperature 0.3 --guidance 1 --guidance 1.5 --guidance 2
python -m training.evaluate quickdraw $data --part samples --per-class 2 --seeds 1 \
    --temperature 0.3 --best-of 1 --best-of 2 --best-of 4
