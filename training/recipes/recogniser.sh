#!/bin/sh
# The recogniser that ships, vpype_sketchformer/models/recogniser/quickdraw.safetensors. It begins
# with one of the two judges that say how good training drawings are: that one has seen half of the
# training drawings, all finished. The judges take half an hour on one core, the recogniser about a
# quarter of one.
set -e
data=data/quickdraw.safetensors
python -m training.quality $data --keep runs/judges
python -m training.recogniser $data --from runs/judges/half0.safetensors --out runs/recogniser
cp runs/recogniser/recogniser.safetensors vpype_sketchformer/models/recogniser/quickdraw.safetensors
cp runs/recogniser/reliability.svg docs/reliability.svg
