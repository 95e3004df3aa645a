#!/bin/sh
# The recogniser that ships, vpype_sketchformer/models/recogniser/quickdraw.safetensors. Its eyes
# begin as one of the two judges that say how good training drawings are: that one has seen half of
# the training drawings, all finished. The first recogniser was made by the code of commit fb00a4f,
# and what follows the pen was learnt beside its eyes as they were, by that of commit b4f7330, both
# with AdamW, in half an hour of one core; then everything learnt on together, the last command, in
# 37 minutes of a core beside a busy one.
set -e
data=data/quickdraw.safetensors
python -m training.quality $data --keep runs/judges
python -m training.recogniser $data --from runs/judges/half0.safetensors --out runs/recogniser-before
python -m training.recogniser $data --from runs/recogniser-before/recogniser.safetensors \
    --out runs/recogniser --steps 6500
cp runs/recogniser/recogniser.safetensors vpype_sketchformer/models/recogniser/quickdraw.safetensors
cp runs/recogniser/reliability.svg docs/reliability.svg
