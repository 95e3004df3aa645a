#!/usr/bin/env bash
# The recipe this project began with, and ours, after equally many points (921,600, padding
# included). Run from the top of the checkout after training.prepare has made the data (the
# first command of training/recipes/quickdraw.sh).
set -euo pipefail
data=data/quickdraw.safetensors

python -m training.train training/configs/seed.toml $data --out runs/seed --set steps=300
python -m training.train training/configs/base.toml $data --out runs/equal --set steps=225
python -m training.evaluate runs/seed/state.pt $data
python -m training.evaluate runs/equal/model.safetensors $data --part likelihood
