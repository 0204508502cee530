"""PyTorch's side of `cargo xtask bench ops`: what an op of ours does, by the modules of torch_ssl.py.

  python bench_ops.py OP CLIPS FRAMES eager|compile
Answers as bench_models.py does. A step is the op, the sum of its result and all gradients.
"""
import sys

import torch
import torch.nn as nn
import torch.nn.functional as F

import torch_ssl
from bench_models import serve

D = 64


class Decoder(nn.Module):
    """A GIN layer that ends with its MLP; of its result the last four joints are taken."""
    def __init__(self, graph):
        super().__init__()
        self.register_buffer('graph', graph)
        self.gin = torch_ssl.Gin(D, D, act=False)

    def forward(self, x):
        return self.gin(self.graph, x)[:, -4:]


class Gin(nn.Module):
    def __init__(self, graph):
        super().__init__()
        self.register_buffer('graph', graph)
        self.encoder = torch_ssl.Encoder(D, 3)

    def forward(self, x):
        return self.encoder(self.graph, x)


class Rce(nn.Module):
    def forward(self, y, x):
        return ((1 - F.cosine_similarity(y, x.detach(), dim=-1)) ** 2).mean()


class Embed(nn.Module):
    def __init__(self, frames):
        super().__init__()
        self.embed, self.position = nn.Linear(2, D), nn.Parameter(torch.zeros(1, frames, 1, D))

    def forward(self, s):
        return self.embed(s.detach()) + self.position


class Spatial(torch_ssl.StrlLayer):
    """A layer behind its encoder, up to its temporal half."""
    def __init__(self, graph):
        super().__init__(graph, D, D, 1, nn.Identity())
        del self.tcn, self.tres, self.enc

    def forward(self, h, pooled):
        mixed = torch.einsum('bdtn,mn->bdtm', h + pooled, self.an)
        return F.relu(self.bn(self.w(mixed)) + self.res(h))


class Temporal(nn.Module):
    def __init__(self, stride):
        super().__init__()
        self.tcn = torch_ssl.MsTcn(D, stride)
        strided = lambda: nn.Sequential(nn.Conv2d(D, D, 1, (stride, 1)), nn.BatchNorm2d(D))
        self.residual = nn.Identity() if stride == 1 else strided()

    def forward(self, y):
        return F.relu(self.tcn(y) + self.residual(y))


def op_of(name, clips, frames):
    """The module and the shapes of what it is applied to: one person a clip in pre-training, two in STRL."""
    graph = torch_ssl.adjacency(17, torch_ssl.COCO)
    joints, strl = (clips * frames, 17, D), (2 * clips, D, frames, 17)
    return {
        'op_gin': lambda: (Gin(graph), [joints]),
        'op_decoder': lambda: (Decoder(graph), [joints]),
        'op_linear': lambda: (nn.Linear(D, D), [joints]),
        'op_rce': lambda: (Rce(), [joints, joints]),
        'op_embed': lambda: (Embed(frames), [(2 * clips, frames, 17, 2)]),
        'op_spatial': lambda: (Spatial(graph), [strl, (2 * clips, D, frames, 1)]),
        'op_temporal': lambda: (Temporal(1), [strl]),
        'op_temporal_stride_2': lambda: (Temporal(2), [strl]),
    }[name]()


def step_of(name, clips, frames, how):
    torch.manual_seed(0)
    module, shapes = op_of(name, clips, frames)
    arguments = [torch.randn(shape, requires_grad=True) for shape in shapes]
    if how == 'compile':
        module.compile()

    def step():
        module.zero_grad()
        for argument in arguments:
            argument.grad = None
        module(*arguments).sum().backward()
    return module, step


if __name__ == '__main__':
    serve(step_of, sys.argv[1:])
