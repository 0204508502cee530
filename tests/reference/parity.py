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
import torch_ssl as ref


def gin(prefix, ours):
    """PyTorch's name of a GIN layer's tensors -> ours."""
    names = {"l1": "linear1", "bn1": "norm1", "l2": "linear2", "bn2": "norm2", "prelu": "prelu"}
    return {f"{prefix}.{a}": f"{ours}.{b}" for a, b in names.items()} | {f"{prefix}.eps": f"{ours}.eps"}


def mae_names(layers):
    names = {"embed": "embed", "mask_token": "mask_token", "to_dec": "to_decoder"}
    for i in range(layers):
        names |= gin(f"encoder.layers.{i}", f"encoder.layers.{i}")
    return names | gin("decoder", "decoder")


def strl_names(m, layers):
    names = {"embed": "embed", "pe": "position", "head": "head.0"}
    for i in range(m):
        a, s, t = f"l.{i}", f"layers.{i}.spatial", f"layers.{i}.temporal"
        for j in range(layers):
            names |= gin(f"{a}.enc.layers.{j}", f"{s}.encoder.layers.{j}")
        names |= {f"{a}.w": f"{s}.w", f"{a}.bn": f"{s}.norm"}
        names |= {f"{a}.res.0": f"{s}.residual", f"{a}.res.1": f"{s}.residual_norm"}
        for j in range(3):
            b, o = f"{a}.tcn.b.{j}", f"{t}.branches.{j}"
            names |= {f"{b}.0": f"{o}.reduce", f"{b}.1": f"{o}.reduce_norm", f"{b}.4": f"{o}.norm"}
            if j < 2:
                names[f"{b}.3"] = f"{o}.convolution"
        names |= {f"{a}.tcn.b.3.0": f"{t}.point.map", f"{a}.tcn.b.3.1": f"{t}.point.norm"}
        names |= {f"{a}.tres.0": f"{t}.residual.map", f"{a}.tres.1": f"{t}.residual.norm"}
    return names


def ours(state, names, prefix):
    """Renames a state dict. A convolution over time (out, in, k, 1) becomes (k, out, in); a 1 x 1 one that
    is a plain linear map here, (out, in)."""
    out = {}
    for name, x in state.items():
        if name in ("a", "an") or name.endswith((".a", ".an", "num_batches_tracked")):
            continue
        key = max((k for k in names if name == k or name.startswith(k + ".")), key=len)
        new = names[key] + name[len(key):]
        if x.dim() == 4 and new != "position":
            x = x[..., 0].permute(2, 0, 1)
            if not new.endswith(("convolution.weight", "map.weight")):
                x = x[0]
        if new == "position":
            x = x[0, :, 0]
        out[f"{prefix}.{new}"] = x.detach().clone().contiguous()
    return out


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
