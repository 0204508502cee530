"""A checkpoint's weights in PyTorch, and back: python docs/weights.py RUN/model.safetensors OUT.safetensors

Needs the package skeletonmae (docs/python.md). Loads a classifier or an encoder as a plain nn.Module and writes its weights, which
`ssl import OUT.safetensors --like RUN -o NEW.safetensors` takes. docs/weights.md names all tensors.
"""
import sys

from skeletonmae import Checkpoint
from skeletonmae.torch import Classifier, Encoder

if __name__ == "__main__":
    kind = {"pretrain": Encoder, "finetune": Classifier}[Checkpoint.read(sys.argv[1]).kind]
    model = kind.load(sys.argv[1])  # model.state_dict() has the names of docs/weights.md
    model.save(sys.argv[2])
