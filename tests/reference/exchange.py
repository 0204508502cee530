"""What the yardstick, an independent reading of the paper, makes of a checkpoint, and weights it hands back.

  python exchange.py MODEL.safetensors OUT_FOLDER

Writes logits.safetensors (`in.s`, `out.read` by the checkpoint's weights, `out.changed` by other ones) and
changed.safetensors, those other weights.
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

import names
import torch_ssl


def classifier(path, edges=torch_ssl.COCO):
    """The yardstick's model with the weights of a checkpoint of `ssl finetune` with a GIN and the default shape."""
    tensors = load_file(path)
    joints = 1 + max(max(edge) for edge in edges)
    frames, width = tensors["position"].shape
    classes, coordinates = tensors["head.0.weight"].shape[0], tensors["embed.weight"].shape[1]
    model = torch_ssl.Ssl(torch_ssl.adjacency(joints, edges), classes, c=coordinates, d=width, frames=frames)
    model.load_state_dict(names.theirs(tensors, model.state_dict(), names.strl_names(3, 3)))
    return model.eval()


def write(model, path):
    """Its weights as `ssl import` takes them: the names and shapes of docs/weights.md."""
    save_file(names.ours(model.state_dict(), names.strl_names(3, 3)), path)


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(5)
    model, folder = classifier(sys.argv[1]), Path(sys.argv[2])
    s = torch.randn(3, 2, model.pe.shape[1], 17, 2)
    with torch.no_grad():
        out = {"in.s": s, "out.read": model(s)}
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        out["out.changed"] = model(s)
    write(model, folder / "changed.safetensors")
    save_file({name: x.contiguous() for name, x in out.items()}, folder / "logits.safetensors")
