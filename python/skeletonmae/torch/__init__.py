"""The program's clips and models in PyTorch (`pip install 'skeletonmae[torch]'`).

>>> from skeletonmae.torch import Classifier, ClipDataset
>>> dataset = ClipDataset("synthetic.h5", "train", reading={"frames": 32})
>>> batch = next(iter(dataset.loader(16)))
>>> batch.keypoints.shape, batch.labels.shape  # (tracks, frames, joints, coordinates), (clips,)
(torch.Size([16, 32, 17, 2]), torch.Size([16]))
>>> model = Classifier(dataset.cache.layout, coordinates=2, frames=32, classes=16)
>>> model(batch).shape
torch.Size([16, 16])
"""

from .clips import Batch, ClipDataset, Steps, collate
from .models import Classifier, Encoder

__all__ = ["Batch", "Classifier", "ClipDataset", "Encoder", "Steps", "collate"]
