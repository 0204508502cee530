"""What onnxruntime makes of an exported model: python tests/reference/onnx_parity.py MODEL.onnx CLIPS.jsonl

Checks the file with onnx.checker, reads clips with docs/export.py, scores them one by one and all at once, absent people all zeros,
and prints a JSON object: each clip's probabilities (`one`, `all`), the largest difference of their logits' softmax, the metadata.
"""
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "docs"))
import export

path, clips = sys.argv[1:]
model = onnx.load(path)
onnx.checker.check_model(model, full_check=True)
assert [(o.domain, o.version) for o in model.opset_import] == [("", 17)], model.opset_import
how = json.loads(Path(path + ".json").read_text())
metadata = {entry.key: entry.value for entry in model.metadata_props}
assert json.loads(metadata["preprocessing"]) == how, "the metadata are the document beside the file"

lines = [json.loads(line) for line in Path(clips).read_text().splitlines()]
lines = [clip for clip in lines if "keypoints" in clip]
poses = [export.read(clip["keypoints"], clip.get("scores"), how) for clip in lines]
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
run = lambda x: session.run(["logits", "probabilities"], {"poses": x})
most = max(x.shape[1] for x in poses)
whole = np.concatenate([np.pad(x, [(0, 0), (0, most - x.shape[1]), (0, 0), (0, 0), (0, 0)]) for x in poses])
logits, together = run(whole)
softmax = np.exp(logits - logits.max(1, keepdims=True))
softmax /= softmax.sum(1, keepdims=True)
alone = np.concatenate([run(x)[1] for x in poses])
nobody = run(np.zeros_like(whole[:1]))[1]
json.dump(
    {
        "ids": [clip["id"] for clip in lines],
        "people": [int(x.shape[1]) for x in poses],
        "alone": alone.tolist(),
        "together": together.tolist(),
        "softmax": float(np.abs(softmax - together).max()),
        "nobody": nobody[0].tolist(),
        "classes": how["classes"],
        "input": how["input"],
    },
    sys.stdout,
)
