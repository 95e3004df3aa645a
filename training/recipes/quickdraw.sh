#!/usr/bin/env bash
# The model that ships, vpype_sketchformer/models/quickdraw.safetensors: from the drawings to the
# file, in eight lessons, on people's drawings only. Run from the top of the checkout, with 254,274
# of Google's drawings in data/google; `python -m training.download all -o data/google` fetches all
# fifty million. training/LOG.md tells how it really went, on a busy machine.
set -euo pipefail
data=data/quickdraw.safetensors
python -m training.prepare data/google -o $data
python -m training.train training/configs/base.toml $data --out runs/base

# How good each drawing is, as judges see it that never saw it; then twice as many points, in a
# deeper network that is told.
python -m training.quality $data
python -m training.train training/configs/deep.toml $data --out runs/deep \
    --from runs/base/model.safetensors --set layers=6

# The encoder, on pictures; then the model learns to listen to its codes.
python -m training.encoder $data --out runs/encoder --steps 1400
python -m training.train training/configs/coded.toml $data --out runs/coded \
    --from runs/deep/model.safetensors --encoder runs/encoder/encoder.safetensors
# The same again, for longer: it was still learning to listen.
python -m training.train training/configs/coded.toml $data --out runs/more \
    --from runs/coded/model.safetensors --set steps=4300 --set seed=3
# By now a tenth of a nat was known by heart: three times more, with many drawings altered, which are told.
python -m training.train training/configs/altered.toml $data --out runs/altered \
    --from runs/more/model.safetensors
python -m training.train training/configs/altered.toml $data --out runs/longer \
    --from runs/altered/model.safetensors --set steps=4800 --set seed=8 \
    --set lr=2e-3 --set muon_lr=0.014
python -m training.train training/configs/altered.toml $data --out runs/longest \
    --from runs/longer/model.safetensors --set steps=4800 --set seed=9 \
    --set lr=2e-3 --set muon_lr=0.014
# Now that it listens, codes learn to tell what it needs most to know.
python -m training.train training/configs/altered.toml $data --out runs/listened \
    --from runs/longest/model.safetensors --set steps=3450 --set seed=10 \
    --set lr=2e-3 --set muon_lr=0.014 --set code_price=0.01

# What guidance leads away from: drawings of nothing in particular, by a small network.
python -m training.train training/configs/guide.toml $data --out runs/guide
python -m training.export runs/listened/model.safetensors --guide runs/guide/model.safetensors \
    -o runs/quickdraw.safetensors

# The file that ships says how it scores; training/recipes/evaluate.sh has all figures.
python -m training.evaluate runs/quickdraw.safetensors $data --split test --part samples \
    --seeds 3 --json runs/scores.json
python -m training.export runs/quickdraw.safetensors runs/scores.json \
    -o vpype_sketchformer/models/quickdraw.safetensors
