import skeletonmae
import torch
from skeletonmae.torch import Classifier, ClipDataset

skeletonmae.prepare("clips.h5", dataset="synthetic", overwrite=True)
settings = {"finetune.epochs": 2, "reading.frames": 32}
skeletonmae.run("finetune", preset="quick", data="clips.h5", train="train", out="run", overwrite=True, set=settings)
model = Classifier.load("run")
dataset = ClipDataset.of("run", "clips.h5", "val")
with torch.no_grad():
    classes = torch.cat([model(batch).argmax(1) for batch in dataset.loader(32)]).tolist()
predicted = skeletonmae.run("predict", "run", data="clips.h5", split="val")
assert classes == [clip["top"][0]["class"] for clip in predicted], "PyTorch and ssl agree on all clips"
