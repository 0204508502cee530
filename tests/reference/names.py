"""Names of the PyTorch yardstick's tensors and ours, both ways (docs/weights.md says what ours are)."""


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


def pairs(state, names):
    """(PyTorch's name, our name) of all tensors that are weights or statistics."""
    for name in state:
        if name in ("a", "an") or name.endswith((".a", ".an", "num_batches_tracked")):
            continue
        key = max((k for k in names if name == k or name.startswith(k + ".")), key=len)
        yield name, names[key] + name[len(key):]


def over_time(new):
    """Whether a weight is a convolution over time here, (k, out, in), and no plain map, (out, in)."""
    return new.endswith(("convolution.weight", "map.weight"))


def ours(state, names):
    """A state dict under our names, in our shapes."""
    out = {}
    for name, new in pairs(state, names):
        x = state[name]
        if new == "position":
            x = x[0, :, 0]
        elif x.dim() == 4:  # (out, in, k, 1)
            x = x[..., 0].permute(2, 0, 1)
            x = x if over_time(new) else x[0]
        out[new] = x.detach().clone().contiguous()
    return out


def theirs(tensors, state, names):
    """Our tensors under PyTorch's names, in its shapes: what `state`, the model's own, is to be filled with."""
    out = {}
    for name, new in pairs(state, names):
        x = tensors[new]
        if new == "position":
            x = x[None, :, None]
        elif state[name].dim() == 4:
            x = (x if over_time(new) else x[None]).permute(1, 2, 0)[..., None]
        assert x.shape == state[name].shape, (new, x.shape, name, state[name].shape)
        out[name] = x.contiguous()
    return state | out
