"""A checkpoint's weights in PyTorch, and back: python docs/weights.py RUN/model.safetensors OUT.safetensors

Reads a checkpoint, puts a classifier's weights into the PyTorch model of tests/reference/torch_ssl.py and writes that model's
weights, which `ssl import OUT.safetensors --like RUN -o NEW.safetensors` takes. docs/weights.md names all tensors.
"""
import sys
from pathlib import Path

from safetensors.torch import load_file, save_file

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "reference"))
import names
import torch_ssl


def classifier(path, edges=torch_ssl.COCO):
    """The yardstick's model with the weights of a checkpoint of `ssl finetune` with a GIN and the default shape."""
    tensors = load_file(path)  # {name: tensor}, 32-bit floats; no more is needed to read a checkpoint
    joints = 1 + max(max(edge) for edge in edges)
    frames, width = tensors["position"].shape
    classes, coordinates = tensors["head.0.weight"].shape[0], tensors["embed.weight"].shape[1]
    model = torch_ssl.Ssl(torch_ssl.adjacency(joints, edges), classes, c=coordinates, d=width, frames=frames)
    model.load_state_dict(names.theirs(tensors, model.state_dict(), names.strl_names(3, 3)))
    return model.eval()


def write(model, path):
    """Its weights as `ssl import` takes them: the names and shapes of docs/weights.md, any metadata or none."""
    save_file(names.ours(model.state_dict(), names.strl_names(3, 3)), path)


if __name__ == "__main__":
    write(classifier(sys.argv[1]), sys.argv[2])
