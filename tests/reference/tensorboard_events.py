"""What TensorBoard's own readers find below a folder, as JSON on stdout.

usage: tensorboard_events.py LOGDIR

Of each run: its scalars, pictures and texts by EventAccumulator, which checks the checksum of every record; of all runs: the
columns and rows of the tab HPARAMS, by the backend of that plugin.
"""

import io
import json
import os
import sys

from PIL import Image
from tensorboard import context
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins import base_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups


def run(folder):
    events = EventAccumulator(folder, size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    events.Reload()
    tags = events.Tags()
    images = {}
    for tag in tags["images"]:
        for event in events.Images(tag):
            picture = Image.open(io.BytesIO(event.encoded_image_string))
            picture.load()
            assert picture.size == (event.width, event.height), (picture.size, event)
            colours = picture.getcolors(1 << 24)
            images[tag] = {"step": event.step, "size": picture.size, "mode": picture.mode, "colours": len(colours)}
    return {
        "scalars": {tag: [[e.step, e.value, e.wall_time] for e in events.Scalars(tag)] for tag in tags["scalars"]},
        "images": images,
        "texts": {
            tag: events.Tensors(tag)[0].tensor_proto.string_val[0].decode()
            for tag in tags["tensors"]
            if tag.endswith("/text_summary")
        },
    }


def value(proto):
    return getattr(proto, proto.WhichOneof("kind"))


def hparams(logdir):
    multiplexer = plugin_event_multiplexer.EventMultiplexer()
    multiplexer.AddRunsFromDirectory(logdir)
    multiplexer.Reload()
    provider = data_provider.MultiplexerDataProvider(multiplexer, logdir)
    plugin = backend_context.Context(
        base_plugin.TBContext(logdir=logdir, multiplexer=multiplexer, data_provider=provider)
    )
    request = context.RequestContext()
    experiment = plugin.experiment_from_metadata(request, "", True, plugin.hparams_metadata(request, ""), None)
    statuses = [api_pb2.STATUS_UNKNOWN, api_pb2.STATUS_SUCCESS, api_pb2.STATUS_FAILURE, api_pb2.STATUS_RUNNING]
    asked = api_pb2.ListSessionGroupsRequest(start_index=0, slice_size=1000, allowed_statuses=statuses)
    asked.include_metrics = True
    columns = [api_pb2.ColParams(hparam=info.name) for info in experiment.hparam_infos]
    columns += [api_pb2.ColParams(metric=info.name) for info in experiment.metric_infos]
    asked.col_params.extend(columns)
    groups = list_session_groups.Handler(request, plugin, "", asked).run().session_groups
    return {
        "hparams": [info.name for info in experiment.hparam_infos],
        "metrics": [info.name.tag for info in experiment.metric_infos],
        "rows": {
            group.sessions[0].name: {
                "status": group.sessions[0].status,
                "hparams": {name: value(proto) for name, proto in group.hparams.items()},
                "metrics": {metric.name.tag: metric.value for metric in group.metric_values},
            }
            for group in groups
        },
    }


def main(logdir):
    folders = {
        os.path.relpath(folder, logdir): folder
        for folder, _, files in os.walk(logdir)
        if any("tfevents" in name for name in files)
    }
    print(json.dumps({"runs": {name: run(folder) for name, folder in folders.items()}, "hparams": hparams(logdir)}))


main(sys.argv[1])
