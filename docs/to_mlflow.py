"""Logs runs of ssl to MLflow: settings as parameters, metrics.jsonl as metrics, test.json as artifact.

usage: to_mlflow.py RUN...

MLFLOW_TRACKING_URI says where to; without it MLflow's default. Needs Python 3.11 and mlflow; mlflow-skinny is enough where a server takes them.
"""

import json
import pathlib
import sys
import tomllib

import mlflow


def flat(table, path=()):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, (*path, key))
        else:
            yield ".".join((*path, key)), value


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


for folder in map(pathlib.Path, sys.argv[1:]):
    info = json.loads((folder / "run.json").read_text())
    times = {line["epoch"]: line for line in lines(folder / "timings.jsonl")}
    with mlflow.start_run(run_name=str(folder)):
        mlflow.set_tags({"command": info["command"], "commit": info["commit"], "data": info["data"]["dataset"]})
        mlflow.log_params(dict(flat(tomllib.loads((folder / "config.toml").read_text()))))
        for line in lines(folder / "metrics.jsonl"):
            epoch = line.pop("epoch")
            mlflow.log_metrics(line | {"seconds": times.get(epoch, {}).get("seconds", 0)}, step=epoch)
        test = folder / "test.json"
        if test.exists():
            measured = json.loads(test.read_text())
            mlflow.log_metrics({f"test_{name}": measured[name] for name in ("top1", "top5", "mean_class")})
            mlflow.log_artifact(str(test))
