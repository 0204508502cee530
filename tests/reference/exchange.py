"""What PyTorch makes of a checkpoint, and weights it hands back, for the test of docs/weights.py.

  python exchange.py MODEL.safetensors OUT_FOLDER

Writes logits.safetensors (`in.s`, `out.read` by the checkpoint's weights, `out.changed` by other ones) and
changed.safetensors, those other weights.
"""
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "docs"))
import weights

if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.manual_seed(5)
    model, folder = weights.classifier(sys.argv[1]), Path(sys.argv[2])
    s = torch.randn(3, 2, model.pe.shape[1], 17, 2)
    with torch.no_grad():
        out = {"in.s": s, "out.read": model(s)}
        for parameter in model.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
        out["out.changed"] = model(s)
    weights.write(model, folder / "changed.safetensors")
    save_file({name: x.contiguous() for name, x in out.items()}, folder / "logits.safetensors")
