"""Weights, inputs and outputs of the PyTorch yardstick, for the parity tests.

  python parity.py OUT_FOLDER

Writes mae.safetensors and strl.safetensors: tensors named `state.*` are the model's, under our names,
before anything ran; `in.*` inputs; `out.train.*` and `out.eval.*` what the model makes of them (training
mode first, so inference uses the running statistics of that pass too); `after.*` the parameters after
three optimizer steps.
"""
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file

sys.path.insert(0, str(Path(__file__).parent))
import names as names_of
import torch_ssl as ref
from names import mae_names, strl_names


def ours(state, names, prefix):
    return {f"{prefix}.{name}": x for name, x in names_of.ours(state, names).items()}


def scramble(model):
    """Parameters and statistics away from their special first values."""
    for name, x in model.state_dict().items():
        if x.is_floating_point() and not name.endswith((".a", ".an")) and name != "a":
            x.add_(torch.randn_like(x) * 0.1)
            if name.endswith("running_var"):
                x.abs_().add_(0.5)


def mae(folder):
    torch.manual_seed(1)
    model = ref.SkeletonMae(ref.adjacency(17, ref.COCO), ref.COCO_PARTS)
    scramble(model)
    names, s, out = mae_names(3), torch.randn(3, 20, 17, 2), {}
    out |= ours(model.state_dict(), names, "state")
    idx = sorted(j for p in model.mask_parts for j in model.parts[p])
    for mode in ("train", "eval"):
        model.train(mode == "train")
        with torch.no_grad():
            x = model.embed(s.reshape(60, 17, 2))
            m = torch.zeros(17, 1)
            m[idx] = 1
            masked = x * (1 - m) + model.mask_token * m
            # Twice over the same weights would move the statistics twice: keep them for the real pass.
            kept = {k: v.clone() for k, v in model.state_dict().items()}
            h = model.encoder(model.a, masked)
            y = model.decoder(model.a, model.to_dec(h))
            model.load_state_dict(kept)
            loss = model(s)
        out |= {f"out.{mode}.h": h.reshape(3, 20, 17, 64), f"out.{mode}.y": y.reshape(3, 20, 17, 64),
                f"out.{mode}.loss": loss.reshape(1)}
    model.train()
    o = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(3):
        o.zero_grad()
        model(s).backward()
        o.step()
    out |= ours(model.state_dict(), names, "after") | {"in.s": s}
    save_file({k: v.contiguous() for k, v in out.items()}, folder / "mae.safetensors")


def strl(folder):
    torch.manual_seed(2)
    model = ref.Ssl(ref.adjacency(17, ref.COCO), 10, frames=21, drop=0.0)
    scramble(model)
    names, s, label = strl_names(3, 3), torch.randn(3, 2, 21, 17, 2), torch.tensor([1, 9, 4])
    out = ours(model.state_dict(), names, "state")
    for mode in ("train", "eval"):
        model.train(mode == "train")
        with torch.no_grad():
            out[f"out.{mode}.logits"] = model(s)
    model.train()
    o = torch.optim.SGD(model.parameters(), 0.001, 0.9, weight_decay=5e-4, nesterov=True)
    for step in range(3):
        o.zero_grad()
        loss = F.cross_entropy(model(s), label, label_smoothing=0.1)
        loss.backward()
        o.step()
        out[f"out.loss.{step}"] = loss.detach().reshape(1)
    out |= ours(model.state_dict(), names, "after") | {"in.s": s, "in.label": label}
    save_file({k: v.contiguous() for k, v in out.items()}, folder / "strl.safetensors")


if __name__ == "__main__":
    torch.set_num_threads(1)
    mae(Path(sys.argv[1]))
    strl(Path(sys.argv[1]))
