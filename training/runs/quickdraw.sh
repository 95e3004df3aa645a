#!/usr/bin/env bash
# The model that ships, vpype_sketchformer/models/quickdraw.safetensors: from the drawings to the
# file. Run from the top of the checkout, with the drawings in ../shared/data/quickdraw (or
# fetched by: python -m training.download all -o data/google).
set -euo pipefail
python -m training.prepare ../shared/data/quickdraw -o data/quickdraw.safetensors
python -m training.train training/configs/base.toml data/quickdraw.safetensors --out runs/base
cp runs/base/model.safetensors vpype_sketchformer/models/quickdraw.safetensors
