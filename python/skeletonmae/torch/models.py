"""The program's models as plain PyTorch modules: H. Yan et al., SkeletonMAE, ICCV 2023 (arXiv 2307.08476).

Parameters and buffers have the names and shapes of a checkpoint (docs/weights.md), so that a module's state is a checkpoint's
tensors. Features are channels-last, (n, t, v, d): tracks, frames, joints, features.
"""

from __future__ import annotations

import os
from typing import Any, Literal, Mapping, Optional, Sequence, Union

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .._native import Error, Layout
from ..checkpoint import Checkpoint, save_tensors
from .clips import Batch

PathLike = Union[str, "os.PathLike[str]"]

# Heads of an encoder's attention, and the slope of its LeakyReLU.
_HEADS = 4
_SLOPE = 0.2
# Equal stretches of time whose means a representation holds.
_STRETCHES = 4


def _matrix(layout: Layout, kind: Literal["binary", "row", "symmetric"]) -> Tensor:
    return torch.from_numpy(layout.adjacency(kind)).float()


class Norm(nn.Module):
    """Batch normalisation over all rows of (.., d)."""

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, d: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))
        self.bias = nn.Parameter(torch.zeros(d))
        self.register_buffer("running_mean", torch.zeros(d))
        self.register_buffer("running_var", torch.ones(d))

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        y = F.batch_norm(rows, self.running_mean, self.running_var, self.weight, self.bias, self.training)
        return y.reshape(x.shape)


class GinLayer(nn.Module):
    """h = PReLU(norm(MLP((1 + eps) x + sum of the neighbours' x))), as K. Xu et al., ICLR 2019, with A of the layout."""

    graph: Tensor

    def __init__(self, layout: Layout, d: int) -> None:
        super().__init__()
        self.eps = nn.Parameter(torch.zeros(1))
        self.linear1, self.norm1 = nn.Linear(d, d), Norm(d)
        self.linear2, self.norm2 = nn.Linear(d, d), Norm(d)
        self.prelu = nn.PReLU()
        self.register_buffer("graph", _matrix(layout, "binary"), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = (1 + self.eps) * x + self.graph @ x
        x = F.relu(self.norm1(self.linear1(x)))
        return self.prelu(self.norm2(self.linear2(x)))


class GcnLayer(nn.Module):
    """h = PReLU(norm(A^ x W^T + b)), A^ = D^-1/2 (A + I) D^-1/2, as T. Kipf and M. Welling, ICLR 2017."""

    graph: Tensor

    def __init__(self, layout: Layout, d: int) -> None:
        super().__init__()
        self.linear, self.norm, self.prelu = nn.Linear(d, d), Norm(d), nn.PReLU()
        self.register_buffer("graph", _matrix(layout, "symmetric"), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.prelu(self.norm(self.linear(self.graph @ x)))


class GatLayer(nn.Module):
    """h = PReLU(norm(y + b)), y_i = sum over j of alpha_ij W x_j, as P. Velickovic et al., ICLR 2018, four heads."""

    apart: Tensor

    def __init__(self, layout: Layout, d: int) -> None:
        super().__init__()
        if d % _HEADS:
            raise Error(f"width: expected a multiple of the {_HEADS} heads, found {d}")
        self.linear, self.norm, self.prelu = nn.Linear(d, d), Norm(d), nn.PReLU()
        bound = (6 / (d // _HEADS + 1)) ** 0.5
        self.attention = nn.Parameter(torch.empty(2, d).uniform_(-bound, bound))
        neighbours = _matrix(layout, "binary") + torch.eye(len(layout))
        self.register_buffer("apart", neighbours == 0, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        n, t, v, d = x.shape
        u = F.linear(x, self.linear.weight).reshape(n, t, v, _HEADS, d // _HEADS)
        to, from_ = ((u * a).sum(-1) for a in self.attention.reshape(2, _HEADS, -1))  # (n, t, v, heads) each
        scores = F.leaky_relu(to[:, :, :, None] + from_[:, :, None], _SLOPE)  # (n, t, i, j, heads)
        alpha = scores.masked_fill(self.apart[:, :, None], -torch.inf).softmax(3)
        y = torch.einsum("ntijh,ntjhp->ntihp", alpha, u).reshape(n, t, v, d)
        return self.prelu(self.norm(y + self.linear.bias))


_LAYERS = {"gin": GinLayer, "gcn": GcnLayer, "gat": GatLayer}


class Graph(nn.Module):
    """G_E(A, X): layers of one kind on the layout's graph, (n, t, v, d) to the same shape."""

    def __init__(self, layout: Layout, backbone: str, layers: int, d: int) -> None:
        super().__init__()
        if backbone not in _LAYERS:
            raise Error(f"backbone: expected {', '.join(_LAYERS)}, found {backbone!r}")
        self.layers = nn.ModuleList(_LAYERS[backbone](layout, d) for _ in range(layers))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class Spatial(nn.Module):
    """ReLU(norm(A_norm SM(H) W) + norm(H R)), SM(H) = Repeat_N(SumPool_N(G_E(A, H))) + H: equations 3 and 4."""

    mixing: Tensor

    def __init__(
        self, layout: Layout, encoder: Graph, d: int, pool: str, adjacency: Literal["row", "symmetric"]
    ) -> None:
        super().__init__()
        if pool not in ("mean", "sum", "joints"):
            raise Error(f"pool: expected mean, sum or joints, found {pool!r}")
        self.encoder, self.pool = encoder, pool
        self.w, self.norm = nn.Linear(d, d), Norm(d)
        self.residual, self.residual_norm = nn.Linear(d, d), Norm(d)
        self.register_buffer("mixing", _matrix(layout, adjacency), persistent=False)

    def forward(self, h: Tensor) -> Tensor:
        codes = self.encoder(h)
        if self.pool == "joints":  # each joint keeps its own code, which the residual reads, too
            sm = h = h + codes
        else:
            pooled = codes.mean(2, keepdim=True) if self.pool == "mean" else codes.sum(2, keepdim=True)
            sm = h + pooled
        return F.relu(self.norm(self.w(self.mixing @ sm)) + self.residual_norm(self.residual(h)))


class OverTime(nn.Module):
    """A convolution over frames, (n, t, v, d) to (n, t / stride rounded up, v, d_out); its weight is (kernel, d_out, d)."""

    def __init__(self, kernel: int, d: int, d_out: int, stride: int, dilation: int = 1) -> None:
        super().__init__()
        bound = (d * kernel) ** -0.5
        self.weight = nn.Parameter(torch.empty(kernel, d_out, d).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(d_out).uniform_(-bound, bound))
        self.stride, self.dilation = stride, dilation

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.permute(1, 2, 0)[..., None]  # (d_out, d, kernel, 1)
        padding = len(self.weight) // 2 * self.dilation
        y = F.conv2d(
            x.permute(0, 3, 1, 2), weight, self.bias, (self.stride, 1), (padding, 0), (self.dilation, 1)
        )
        return y.permute(0, 2, 3, 1)


class Branch(nn.Module):
    """A 1 x 1 map, norm and ReLU, a dilated convolution or, without a dilation, a maximum of three frames, and a norm."""

    def __init__(self, d: int, part: int, kernel: int, dilation: Optional[int], stride: int) -> None:
        super().__init__()
        self.reduce, self.reduce_norm, self.norm = nn.Linear(d, part), Norm(part), Norm(part)
        self.stride = stride
        if dilation is not None:
            self.convolution = OverTime(kernel, part, part, stride, dilation)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.reduce_norm(self.reduce(x)))
        if hasattr(self, "convolution"):
            return self.norm(self.convolution(x))
        x = F.max_pool2d(x.permute(0, 3, 1, 2), (3, 1), (self.stride, 1), (1, 0))
        return self.norm(x.permute(0, 2, 3, 1))


class Strided(nn.Module):
    """A map of every `stride`-th frame, and a norm."""

    def __init__(self, d: int, d_out: int, stride: int) -> None:
        super().__init__()
        self.map, self.norm = OverTime(1, d, d_out, stride), Norm(d_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.map(x))


class Temporal(nn.Module):
    """ReLU(branches(x) + residual(x)): multi-scale pooling over time, as in MS-G3D and CTR-GCN."""

    def __init__(self, d: int, kernel: int, dilations: Sequence[int], stride: int) -> None:
        super().__init__()
        count = len(dilations) + 2
        if d % count:
            raise Error(f"width: expected a multiple of {count}, the temporal branches, found {d}")
        part = d // count
        self.branches = nn.ModuleList(Branch(d, part, kernel, dilation, stride) for dilation in [*dilations, None])
        self.point = Strided(d, part, stride)
        self.residual = Strided(d, d, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        branches = [branch(x) for branch in self.branches] + [self.point(x)]
        return F.relu(torch.cat(branches, -1) + self.residual(x))


class Layer(nn.Module):
    """One of STRL's layers: spatial, then temporal."""

    def __init__(self, spatial: Spatial, temporal: Temporal) -> None:
        super().__init__()
        self.spatial, self.temporal = spatial, temporal

    def forward(self, h: Tensor) -> Tensor:
        return self.temporal(self.spatial(h))


def _fill(module: nn.Module, checkpoint: Checkpoint, tensors: Mapping[str, np.ndarray]) -> None:
    """Puts tensors into a module that must have exactly these."""
    own = module.state_dict()
    wrong = [f"{name} is missing" for name in own if name not in tensors]
    wrong += [f"{name} is unknown" for name in tensors if name not in own]
    shapes = ((name, tuple(own[name].shape), tensors[name].shape) for name in own if name in tensors)
    wrong += [f"{name}: expected {ours}, found {theirs}" for name, ours, theirs in shapes if ours != theirs]
    if wrong:
        raise Error(f"{checkpoint.path}: its settings are not those of its parameters: {'; '.join(wrong[:3])}")
    module.load_state_dict({name: torch.from_numpy(numbers.copy()) for name, numbers in tensors.items()})


def _expected(checkpoint: Checkpoint, kind: str) -> None:
    if checkpoint.kind != kind:
        hint = {"pretrain": "Encoder.load", "finetune": "Classifier.load"}[checkpoint.kind]
        raise Error(f"{checkpoint.path}: expected a checkpoint of `ssl {kind}`, found one of `ssl {checkpoint.kind}`; {hint} takes it")


def _state(module: nn.Module) -> dict[str, np.ndarray]:
    return {name: tensor.detach().cpu().float().numpy() for name, tensor in module.state_dict().items()}


def mean_by_clip(rows: Tensor, track_clip: Tensor, clips: int) -> Tensor:
    """The mean of each clip's tracks: rows (n, d) to (clips, d)."""
    sums = rows.new_zeros(clips, rows.shape[1]).index_add(0, track_clip, rows)
    return sums / torch.bincount(track_clip, minlength=clips).to(rows.dtype)[:, None]


class Encoder(nn.Module):
    """What pre-training leaves: the embedding and the graph encoder G_E of section 3.2.

    `Encoder.load` takes a checkpoint of `ssl pretrain`, also of a contrastive one; one that was pre-trained through the classifier's
    layers (`objective.through = "strl"`) has no encoder of this kind and is refused.

    Args:
        layout: the skeleton.
        coordinates: c, 2 or 3.
        backbone: "gin", "gcn" or "gat".
        width: d, features of a joint.
        encoder_layers: layers of the graph encoder.

    >>> import torch
    >>> from skeletonmae import Layout
    >>> Encoder(Layout("coco17"), coordinates=2)(torch.zeros(1, 16, 17, 2)).shape
    torch.Size([1, 16, 17, 64])
    """

    checkpoint: Optional[Checkpoint] = None
    """What it was loaded from: `encoder.checkpoint.reading` is how clips are read for it."""

    def __init__(
        self, layout: Layout, coordinates: int, *, backbone: str = "gin", width: int = 64, encoder_layers: int = 3
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(coordinates, width)
        self.encoder = Graph(layout, backbone, encoder_layers, width)

    @classmethod
    def load(cls, run_or_file: PathLike) -> Encoder:
        """The encoder of a pre-training run, of its model.safetensors, or `zoo:NAME`, in evaluation mode.

        Raises `skeletonmae.Error` when it can't be read or is another model's.
        """
        checkpoint = Checkpoint.read(run_or_file)
        _expected(checkpoint, "pretrain")
        model = checkpoint.config["model"]
        own = {name: numbers for name, numbers in checkpoint.tensors.items() if name.startswith(("embed.", "encoder."))}
        if not any(name.startswith("encoder.") for name in own):
            raise Error(
                f"{checkpoint.path}: expected an encoder, found a classifier's layers "
                '(pretrain.objective.through = "strl"), which have no such module'
            )
        shape = {key: model[key] for key in ("backbone", "width", "encoder_layers")}
        encoder = cls(checkpoint.layout, checkpoint.meta["coordinates"], **shape)
        _fill(encoder, checkpoint, own)
        encoder.checkpoint = checkpoint
        return encoder.eval()

    def forward(self, keypoints: Tensor) -> Tensor:
        """The codes of keypoints (n, t, v, c) with nothing hidden: (n, t, v, d)."""
        return self.encoder(self.embed(keypoints))

    @torch.no_grad()
    def represent(self, batch: Batch) -> Tensor:
        """The clips of a batch as rows of numbers, (b, 5 d), as `ssl represent` writes them and `ssl probe` learns from: the codes'
        mean over the joints that are there, its means over four stretches of time and its standard deviation; clips are the means
        of their tracks."""
        codes = self(batch.keypoints).double()
        tracks = []
        for track, seen in zip(codes, batch.presence.bool()):
            there = seen.any(1)
            weights = seen[there].double()[..., None]
            frames = (track[there] * weights).sum(1) / weights.sum(1)  # (t', d)
            t = len(frames)
            starts = [min(i * t // _STRETCHES, max(t - 1, 0)) for i in range(_STRETCHES)]
            ends = [min(max((i + 1) * t // _STRETCHES, start + 1), t) for i, start in enumerate(starts)]
            means = [frames[start:end].mean(0) for start, end in zip(starts, ends)]
            tracks.append(torch.cat([*means, frames.std(0, unbiased=False)]))
        return mean_by_clip(torch.stack(tracks), batch.track_clip, len(batch.ids)).float()

    def save(self, path: PathLike) -> None:
        """Writes the weights as safetensors: `ssl import PATH --like RUN -o NEW.safetensors` makes a checkpoint of them. What the
        checkpoint has besides, such as the decoder, is written as it was loaded."""
        rest = {} if self.checkpoint is None else dict(self.checkpoint.tensors)
        save_tensors(path, {**rest, **_state(self)})


class Classifier(nn.Module):
    """STRL, section 3.3: embedding, layers of a graph encoder and temporal convolutions, and a linear head.

    `Classifier.load` takes a checkpoint of `ssl finetune` and gives the program's scores in evaluation; in training it normalises by
    the batch, and drops features as PyTorch draws.

    Args:
        layout: the skeleton.
        coordinates: c, 2 or 3.
        frames: t of the clips it reads.
        classes: k.
        backbone, width, encoder_layers: those of the encoder that each layer has a copy of.
        layers: the first keeps the frames, each further one halves them.
        kernel, dilations: of the temporal convolutions.
        pool: "mean", "sum" or "joints", what of the encoder's codes a joint sees.
        adjacency: "row" or "symmetric".
        dropout: share of a clip's features left out in training.
        head: widths of hidden layers in front of the classes.

    >>> import torch
    >>> from skeletonmae import Layout
    >>> model = Classifier(Layout("coco17"), coordinates=2, frames=16, classes=5).eval()
    >>> model(torch.zeros(3, 16, 17, 2), torch.tensor([0, 0, 1])).shape  # two clips: one of two people, one of one
    torch.Size([2, 5])
    """

    checkpoint: Optional[Checkpoint] = None
    """What it was loaded from: `.reading` is how clips are read for it, `.classes` are their names."""

    def __init__(
        self,
        layout: Layout,
        coordinates: int,
        frames: int,
        classes: int,
        *,
        backbone: str = "gin",
        width: int = 64,
        encoder_layers: int = 3,
        layers: int = 3,
        kernel: int = 5,
        dilations: Sequence[int] = (1, 2),
        pool: str = "mean",
        adjacency: Literal["row", "symmetric"] = "row",
        dropout: float = 0.2,
        head: Sequence[int] = (),
    ) -> None:
        super().__init__()
        self.joints = len(layout)
        self.embed = nn.Linear(coordinates, width)
        self.position = nn.Parameter(torch.zeros(frames, width))
        self.layers = nn.ModuleList(
            Layer(
                Spatial(layout, Graph(layout, backbone, encoder_layers, width), width, pool, adjacency),
                Temporal(width, kernel, dilations, 2 if i else 1),
            )
            for i in range(layers)
        )
        self.dropout = nn.Dropout(dropout)
        widths = [width, *head, classes]
        self.head = nn.ModuleList(nn.Linear(*pair) for pair in zip(widths, widths[1:]))

    @classmethod
    def load(cls, run_or_file: PathLike) -> Classifier:
        """The classifier of a fine-tuning run, or of its model.safetensors, in evaluation mode.

        Raises `skeletonmae.Error` when it can't be read or is another model's.
        """
        checkpoint = Checkpoint.read(run_or_file)
        _expected(checkpoint, "finetune")
        settings: dict[str, Any] = checkpoint.config["model"]
        meta = checkpoint.meta
        model = cls(
            checkpoint.layout,
            meta["coordinates"],
            meta["frames"],
            len(checkpoint.classes),
            backbone=settings["backbone"],
            width=settings["width"],
            encoder_layers=settings["encoder_layers"],
            **settings["strl"],
        )
        _fill(model, checkpoint, checkpoint.tensors)
        model.checkpoint = checkpoint
        return model.eval()

    def features(self, keypoints: Tensor) -> Tensor:
        """What the layers make of keypoints (n, t, v, c): (n, t / 2^(layers - 1), v, d), rounded up at each layer."""
        frames, (t, v) = len(self.position), keypoints.shape[1:3]
        if (t, v) != (frames, self.joints):
            raise Error(f"keypoints: expected (n, {frames}, {self.joints}, c), found {tuple(keypoints.shape)}")
        h = self.embed(keypoints) + self.position[:, None]
        for layer in self.layers:
            h = layer(h)
        return h

    def forward(
        self, keypoints: Union[Batch, Tensor], track_clip: Optional[Tensor] = None, clips: Optional[int] = None
    ) -> Tensor:
        """Scores before softmax, (b, k): of a `Batch`, or of keypoints (n, t, v, c) and the clip of each track, (n,) int64; without
        it each track is a clip. `clips` is b where it isn't known from the last track. The classifier reads the mean of a clip's
        tracks. In evaluation with several views, the program averages the views' probabilities."""
        if isinstance(keypoints, Batch):
            batch = keypoints
            keypoints, track_clip, clips = batch.keypoints, batch.track_clip, len(batch.ids)
        h = self.features(keypoints).mean((1, 2))
        if track_clip is not None:
            h = mean_by_clip(h, track_clip, int(track_clip[-1]) + 1 if clips is None else clips)
        h = self.dropout(h)
        for layer in self.head[:-1]:
            h = F.relu(layer(h))
        return self.head[-1](h)

    def save(self, path: PathLike) -> None:
        """Writes the weights as safetensors: `ssl import PATH --like RUN -o NEW.safetensors` makes a checkpoint of them."""
        save_tensors(path, _state(self))
