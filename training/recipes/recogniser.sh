#!/bin/sh
# The recogniser that ships, vpype_sketchformer/models/recogniser/quickdraw.safetensors. Its eyes
# begin as one of the two judges that say how good training drawings are: that one has seen half of
# the training drawings, all finished. Then they stay as they are, and what follows the pen is learnt.
# Those eyes were made by the code of commit fb00a4f, before there was anything to follow the pen, in
# twenty minutes of one core, after half an hour for the judges; what came then took eight minutes.
set -e
data=data/quickdraw.safetensors
python -m training.quality $data --keep runs/judges
python -m training.recogniser $data --from runs/judges/half0.safetensors --out runs/recogniser-before
python -m training.recogniser $data --keep-eyes --from runs/recogniser-before/recogniser.safetensors \
    --out runs/recogniser --size 512 --steps 2400
cp runs/recogniser/recogniser.safetensors vpype_sketchformer/models/recogniser/quickdraw.safetensors
cp runs/recogniser/reliability.svg docs/reliability.svg
