"""PyTorch's side of `cargo xtask bench`: the models of torch_ssl.py, unchanged, on batches of the same shapes.

  python bench_models.py WORK CLIPS FRAMES eager|compile    WORK: pretrain, finetune or infer
Says {"ready": 1}, makes the work when it reads a line and says how many parameters the model has; then each line it reads
is a number of steps, which it does and answers with the median seconds of one, by the wall and of the processor.
OMP_NUM_THREADS is the number of threads.
"""
import os
import statistics
import sys
import time

import torch
import torch.nn.functional as F

import torch_ssl


def say(line):
    # The interpreter's own stdout is buffered; the other end waits for the line.
    print(line, flush=True)


def step_of(work, clips, frames, how):
    """The model and the function that does one step, as torch_ssl.bench has them."""
    torch.manual_seed(0)
    graph = torch_ssl.adjacency(17, torch_ssl.COCO)
    if work == 'pretrain':
        model = torch_ssl.SkeletonMae(graph, torch_ssl.COCO_PARTS)
        optimizer = torch.optim.Adam(model.parameters(), 1.5e-4)
        x = torch.randn(clips, frames, 17, 2)
        loss = lambda: model(x)
    else:
        model = torch_ssl.Ssl(graph, 60, frames=frames)
        optimizer = torch.optim.SGD(model.parameters(), .1, .9)
        x = torch.randn(clips, 2, frames, 17, 2)
        y = torch.randint(0, 60, (clips,))
        loss = lambda: F.cross_entropy(model(x), y, label_smoothing=.1)
    if how == 'compile':
        model.compile()
    if work == 'infer':
        model.eval()
        step = torch.no_grad()(lambda: model(x))
    else:
        def step():
            optimizer.zero_grad()
            loss().backward()
            optimizer.step()
    return model, step


def serve(step_of, words):
    """The protocol above, of any function that makes a model and its step."""
    work, clips, frames, how = words[0], int(words[1]), int(words[2]), words[3]
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '1')))
    say('{"ready": 1}')
    if not sys.stdin.readline():
        return
    model, step = step_of(work, clips, frames, how)
    for _ in range(3):
        step()
    say('{"parameters": %d}' % max(1, sum(p.numel() for p in model.parameters())))
    for line in sys.stdin:
        wall, cpu = [], []
        for _ in range(max(1, int(line))):
            start, before = time.perf_counter(), time.process_time()
            step()
            cpu.append(time.process_time() - before)
            wall.append(time.perf_counter() - start)
        say('{"wall": %r, "cpu": %r}' % (statistics.median(wall), statistics.median(cpu)))


if __name__ == '__main__':
    serve(step_of, sys.argv[1:])
