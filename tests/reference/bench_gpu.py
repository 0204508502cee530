"""PyTorch's side of gpu-check: steps of torch_ssl.py's models on a GPU, eager and by torch.compile, as a Markdown table.

  python bench_gpu.py cuda:0 [--json FILE] [--steps 15]

The optimizer's update is part of a step; memory is the largest that was held. f32 is without TF32; bf16 is autocast.
Where there is no PyTorch for the device it says so and ends well: the check of ours needs none.
"""
import argparse
import json
import statistics
import sys
import time

WORKS = [('pretrain', 16), ('pretrain', 256), ('pretrain', 1024), ('finetune', 64)]
# What is compiled too: each takes half a minute.
COMPILED = {('pretrain', 256, 'f32'), ('pretrain', 1024, 'f32'), ('pretrain', 1024, 'bf16'), ('finetune', 64, 'f32')}


def step_of(work, clips, device, precision, how):
    """The function that does one step."""
    import torch
    import torch.nn.functional as F
    import torch_ssl

    torch.manual_seed(0)
    graph = torch_ssl.adjacency(17, torch_ssl.COCO)
    if work == 'pretrain':
        model = torch_ssl.SkeletonMae(graph, torch_ssl.COCO_PARTS).to(device)
        optimizer = torch.optim.Adam(model.parameters(), 1.5e-4)
        x = torch.randn(clips, 64, 17, 2, device=device)
        loss = lambda: model(x)
    else:
        model = torch_ssl.Ssl(graph, 60).to(device)
        optimizer = torch.optim.SGD(model.parameters(), .1, .9)
        x = torch.randn(clips, 2, 64, 17, 2, device=device)
        y = torch.randint(0, 60, (clips,), device=device)
        loss = lambda: F.cross_entropy(model(x), y, label_smoothing=.1)
    if how == 'compile':
        model.compile()
    kind = device.split(':')[0]

    def step():
        optimizer.zero_grad()
        with torch.autocast(kind, torch.bfloat16, enabled=precision == 'bf16'):
            value = loss()
        value.backward()
        optimizer.step()
        return value
    return step


def measure(work, clips, device, precision, how, steps):
    """Median seconds of a step and the most bytes held."""
    import torch
    cuda = device.startswith('cuda')
    wait = torch.cuda.synchronize if cuda else lambda: None
    torch.backends.cuda.matmul.allow_tf32 = precision == 'tf32'
    torch.backends.cudnn.allow_tf32 = precision == 'tf32'
    if cuda:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    step = step_of(work, clips, device, precision, how)
    for _ in range(4):
        step()
    wait()
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        step()
        wait()
        times.append(time.perf_counter() - start)
    return statistics.median(times), torch.cuda.max_memory_allocated() if cuda else 0


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument('device')
    arguments.add_argument('--json')
    arguments.add_argument('--steps', type=int, default=15)
    arguments.add_argument('--clips', type=int, default=1024, help='works of more clips are left out')
    given = arguments.parse_args()
    try:
        import torch
    except ImportError:
        print('\nPyTorch is not installed: no comparison.')
        return
    cuda = given.device.startswith('cuda')
    if cuda and not torch.cuda.is_available():
        print(f'\nPyTorch {torch.__version__} finds no GPU: no comparison.')
        return
    name = torch.cuda.get_device_name(given.device) if cuda else given.device
    print(f'\n## PyTorch {torch.__version__} on {name}: whole steps, 64 frames, coco17, D = 64\n')
    print('| step | clips | features | eager (ms) | compiled (ms) | eager (MiB) | compiled (MiB) |')
    print('|---|---|---|---|---|---|---|')
    rows = []
    for work, clips in WORKS:
        if clips > given.clips:
            continue
        for precision in ['f32', 'tf32', 'bf16'] if cuda else ['f32']:
            row = {'step': work, 'clips': clips, 'precision': precision}
            compiled = not cuda or (work, clips, precision) in COMPILED
            for how in ['eager', 'compile'] if compiled else ['eager']:
                try:
                    seconds, held = measure(work, clips, given.device, precision, how, given.steps)
                    row[how] = {'seconds': seconds, 'peak_mib': held >> 20}
                except Exception as error:  # a compiler may lack what it needs
                    row[how] = {'error': str(error).splitlines()[0] if str(error) else repr(error)}
            cell = lambda how, key, f: f(row[how][key]) if key in row.get(how, {}) else '-'
            ms = lambda seconds: f'{seconds * 1e3:.2f}'
            print(f"| {work} | {clips} | {precision} | {cell('eager', 'seconds', ms)} | {cell('compile', 'seconds', ms)}"
                  f" | {cell('eager', 'peak_mib', str)} | {cell('compile', 'peak_mib', str)} |", flush=True)
            for how in ['eager', 'compile']:
                if 'error' in row.get(how, {}):
                    print(f'{work}, {clips}, {precision}, {how}: {row[how]["error"]}', file=sys.stderr)
            rows.append(row)
    if given.json:
        with open(given.json, 'w') as file:
            json.dump({'torch': torch.__version__, 'device': name, 'rows': rows}, file, indent=2)


if __name__ == '__main__':
    main()
