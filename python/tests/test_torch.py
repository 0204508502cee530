"""Batches and models in PyTorch against the program's."""

import json
import pickle
import subprocess
import sys
import unittest
from pathlib import Path

import numpy as np

import skeletonmae
from skeletonmae import Cache, Error, Layout, Loader
from support import FEW, HAS_TORCH, finetune, pretrain, run

if HAS_TORCH:
    import torch
    from torch.nn import functional as F

    from skeletonmae.torch import Batch, Classifier, ClipDataset, Encoder, Steps, collate

AUGMENT = {"noise": 0.02, "turn": 0.6, "scale": 0.4, "crop": 0.6, "flip": 0.5}
READING = {"frames": 16}


def bits(batch):
    arrays = [batch.keypoints, batch.presence, batch.track_clip, batch.labels]
    return [np.asarray(array).tobytes() for array in arrays] + [list(batch.ids)]


@unittest.skipUnless(HAS_TORCH, "torch is not here")
class Batches(unittest.TestCase):
    def assert_same(self, ours, theirs):
        self.assertEqual(len(ours), len(theirs))
        for one, other in zip(ours, theirs):
            self.assertEqual(bits(one), bits(other))

    def test_they_are_the_loaders_bit_for_bit_whoever_reads_them(self):
        cache = Cache("synthetic.h5")
        for augment in (AUGMENT, None):
            dataset = ClipDataset(cache, FEW, reading=READING, augment=augment, seed=4)
            loader = Loader(cache, json.dumps(READING), augment and json.dumps(augment))
            for epoch in (0, 1):
                dataset.set_epoch(epoch)
                plan = list(Steps(dataset, 10, 4))
                theirs = [loader.batch([dataset.clips[i] for i in batch], 4, epoch) for batch in plan]
                for options in ({}, {"num_workers": 2}):
                    self.assert_same(list(dataset.loader(10, 4, **options)), theirs)

    def test_workers_that_stay_hear_of_the_epoch(self):
        dataset = ClipDataset("synthetic.h5", FEW, reading=READING, augment=AUGMENT)
        for context in ("fork", "spawn"):
            staying = dataset.loader(32, num_workers=1, persistent_workers=True, multiprocessing_context=context)
            for epoch in (3, 5):
                dataset.set_epoch(epoch)
                self.assert_same(list(staying), list(dataset.loader(32)))
            del staying

    def test_clips_one_by_one_make_the_same_batch(self):
        views = {"sampling": "uniform", "clips": 3}
        for options in ({"augment": AUGMENT}, {"augment": AUGMENT, "twice": True}, {"reading": views}):
            dataset = ClipDataset("synthetic.h5", FEW, **options)
            together = dataset.__getitems__([2, 0, 7])[0]
            self.assert_same([collate([dataset[2], dataset[0], dataset[7]])], [together])
            self.assertEqual(len(together.ids), 3 * dataset.views)

    def test_a_data_set_is_pickled(self):
        dataset = ClipDataset("synthetic.h5", FEW, reading=READING, augment=AUGMENT, seed=9)
        dataset.set_epoch(2)
        again = pickle.loads(pickle.dumps(dataset))
        self.assertEqual(again.epoch, 2)
        self.assert_same(list(again.loader(40)), list(dataset.loader(40)))

    def test_an_epoch_has_the_loss_that_the_program_reports(self):
        # With a rate that changes no weight, the program's loss of the epoch is that of the checkpoint over its own batches.
        still = {"finetune.optimizer.lr": 1e-20, "finetune.optimizer.weight_decay": 0.0, "model.strl.dropout": 0.0}
        folder = finetune("still", **still, **{"finetune.batch": 12, "finetune.micro_batch": 5, "run.seed": 6})
        reported = json.loads(Path(folder, "metrics.jsonl").read_text().splitlines()[0])
        model = Classifier.load(folder).train()
        dataset = ClipDataset.of(folder, "synthetic.h5", FEW, training="finetune", seed=6)
        losses, clips = 0.0, 0
        for update in Steps(dataset, 12, 5).updates():
            total = 0.0
            for micro in update:
                batch = collate([dataset[i] for i in micro])
                with torch.no_grad():
                    total += float(F.cross_entropy(model(batch), batch.labels, label_smoothing=0.1, reduction="sum"))
            losses, clips = losses + total, clips + sum(map(len, update))
        self.assertAlmostEqual(losses / clips, reported["loss"], delta=2e-5)

    def test_what_does_not_fit_is_refused(self):
        with self.assertRaisesRegex(Error, "no split named"):
            ClipDataset("synthetic.h5", "none")
        with self.assertRaisesRegex(Error, "unknown field"):
            ClipDataset("synthetic.h5", reading={"frame": 3})
        with self.assertRaisesRegex(Error, "expected settings of"):
            ClipDataset.of("quick", "synthetic.h5", training="training")
        nobody = '{"format": "skeleton-clips", "version": 1, "layout": "coco17", "units": "pixel"}\n' + "\n".join(
            json.dumps({"id": name, "label": 0, "keypoints": [[[[x, x]] * 17]]}) for name, x in (("a", 1.0), ("b", 0.0))
        )
        Path("nobody.jsonl").write_text(nobody + "\n")
        skeletonmae.prepare("nobody.h5", "nobody.jsonl", overwrite=True, progress=False)
        with self.assertRaisesRegex(Error, "found 1 that don't: b"):
            ClipDataset("nobody.h5", reading={"normalization": "none"})
        self.assertEqual(len(ClipDataset("nobody.h5", reading={"normalization": "none"}, skip_empty=True)), 1)


@unittest.skipUnless(HAS_TORCH, "torch is not here")
class Models(unittest.TestCase):
    def logits(self, folder, cache, split=FEW):
        """Ours and the program's logarithms of the probabilities, by clip."""
        run("evaluate", folder, data=cache, split=split, scores=f"{folder}.jsonl")
        lines = [json.loads(line) for line in Path(f"{folder}.jsonl").read_text().splitlines()]
        theirs = {line["id"]: line["scores"] for line in lines[1:]}
        model, dataset = Classifier.load(folder), ClipDataset.of(folder, cache, split)
        ours = {}
        with torch.no_grad():
            for batch in dataset.loader(16):
                p = model(batch).double().softmax(1)
                p = p.reshape(-1, dataset.views, p.shape[1]).mean(1)
                ours.update(zip(batch.ids[:: dataset.views], p.tolist()))
        self.assertEqual(sorted(ours), sorted(theirs))
        names = sorted(ours)
        return (np.log([of[name] for name in names]) for of in (ours, theirs))

    def assert_agrees(self, folder, cache="synthetic.h5"):
        ours, theirs = self.logits(folder, cache)
        self.assertGreater(np.std(theirs), 1e-3, "the model tells classes apart")
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * max(1.0, np.abs(theirs).max()))

    def test_a_classifier_gives_the_programs_scores_whatever_its_settings(self):
        skeletonmae.prepare("solid.h5", dataset="synthetic3d", overwrite=True, progress=False)
        for number, (cache, settings) in enumerate(
            [
                ("synthetic.h5", {}),
                ("synthetic.h5", {"model.backbone": "gcn", "model.strl.pool": "sum", "model.strl.adjacency": "symmetric"}),
                ("solid.h5", {"model.backbone": "gat", "model.strl.pool": "joints", "model.strl.head": [24], "model.width": 32}),
                ("solid.h5", {"model.strl.layers": 2, "model.strl.kernel": 3, "model.strl.dilations": [1, 2, 3], "model.width": 40,
                              "reading.sampling": "uniform", "reading.clips": 2, "reading.frames": 15}),
            ]
        ):
            with self.subTest(settings):
                self.assert_agrees(finetune(f"model{number}", data=cache, **settings), cache)

    def test_an_encoder_represents_clips_as_the_program_does(self):
        for backbone in ("gin", "gcn", "gat"):
            with self.subTest(backbone):
                folder = pretrain(f"encoder-{backbone}", **{"model.backbone": backbone})
                run("represent", folder, data="synthetic.h5", split=FEW, out=f"{folder}.jsonl")
                lines = map(json.loads, Path(f"{folder}.jsonl").read_text().splitlines())
                theirs = np.array([line["feature"] for line in lines])
                encoder = Encoder.load(folder)
                dataset = ClipDataset.of(folder, "synthetic.h5", FEW)
                ours = torch.cat([encoder.represent(batch) for batch in dataset.loader(32)]).numpy()
                np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())

    def test_weights_go_back_through_import(self):
        for folder, kind in ((finetune("there"), Classifier), (pretrain("before"), Encoder)):
            model = kind.load(folder)
            model.save("same.safetensors")
            run("import", "same.safetensors", like=folder, output="back.safetensors", overwrite=True)
            again = kind.load("back.safetensors")
            for name, tensor in model.state_dict().items():
                self.assertTrue(torch.equal(tensor, again.state_dict()[name]), name)
            with torch.no_grad():
                next(model.parameters()).add_(1)
            model.save("changed.safetensors")
            run("import", "changed.safetensors", like=folder, output="back.safetensors", overwrite=True)
            self.assertTrue(torch.equal(next(kind.load("back.safetensors").parameters()), next(model.parameters())))

    def test_the_documents_script_brings_the_same_bits_back(self):
        folder = finetune("documented")
        script = Path(__file__).parent.parent.parent / "docs" / "weights.py"
        subprocess.run([sys.executable, script, f"{folder}/model.safetensors", "copy.safetensors"], check=True)
        run("import", "copy.safetensors", like=folder, output="copied.safetensors", overwrite=True)
        read = [skeletonmae.Checkpoint.read(path).tensors for path in (folder, "copied.safetensors")]
        self.assertEqual(list(read[0]), list(read[1]))
        for name in read[0]:
            self.assertEqual(read[0][name].tobytes(), read[1][name].tobytes(), name)

    def test_a_classifier_learns_in_pytorch(self):
        torch.manual_seed(0)
        dataset = ClipDataset("synthetic.h5", FEW, reading=READING)
        model = Classifier(dataset.cache.layout, 2, 16, 16, dropout=0.0)
        optimizer = torch.optim.SGD(model.parameters(), 0.05, 0.9)
        batch = next(iter(dataset.loader(40)))
        losses = []
        for _ in range(8):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(batch), batch.labels)
            loss.backward()
            optimizer.step()
            losses.append(float(loss.detach()))
        self.assertLess(losses[-1], losses[0] - 0.3, losses)
        self.assertTrue(all(parameter.grad is not None for parameter in model.parameters()))

    def test_persons_are_averaged_by_clip(self):
        model = Classifier(Layout("coco17"), 2, 16, 3).eval()
        tracks = torch.randn(3, 16, 17, 2)
        with torch.no_grad():
            both = model(tracks, torch.tensor([0, 0, 1]))
            self.assertTrue(torch.allclose(both[1:], model(tracks[2:]), atol=1e-6))
            mean = model.features(tracks[:2]).mean((0, 1, 2))
            self.assertTrue(torch.allclose(both[0], model.head[0](mean), atol=1e-5))
        batch = Batch(tracks, torch.ones(3, 16, 17), torch.tensor([0, 0, 1]), torch.tensor([0, 1]), ["a", "b"])
        self.assertTrue(torch.equal(model(batch), both))

    def test_checkpoints_of_another_kind_or_damaged_ones_are_refused(self):
        fine, pre = finetune("kind"), pretrain("kind-pre")
        with self.assertRaisesRegex(Error, "expected a checkpoint of `ssl pretrain`.*Classifier.load"):
            Encoder.load(fine)
        with self.assertRaisesRegex(Error, "Encoder.load"):
            Classifier.load(pre)
        through = pretrain("through", **{"pretrain.objective.through": "strl", "pretrain.objective.target": "coordinates"})
        with self.assertRaisesRegex(Error, "classifier's layers"):
            Encoder.load(through)
        with self.assertRaisesRegex(Error, "nowhere"):
            Encoder.load("nowhere")
        data = bytearray(Path(fine, "model.safetensors").read_bytes())
        for change, wrong in [(len(data) - 9, "damaged"), (0, "safetensors|damaged"), (7, "safetensors")]:
            changed = data.copy()
            changed[change] ^= 64
            Path("changed.safetensors").write_bytes(changed)
            with self.assertRaisesRegex(Error, wrong):
                Classifier.load("changed.safetensors")
        Path("changed.safetensors").write_bytes(data[:-4])
        with self.assertRaisesRegex(Error, "damaged"):
            Classifier.load("changed.safetensors")
        with self.assertRaisesRegex(Error, "multiple of the 4 heads"):
            Encoder(Layout("coco17"), 2, backbone="gat", width=30)
        with self.assertRaisesRegex(Error, "gin, gcn, gat"):
            Encoder(Layout("coco17"), 2, backbone="transformer")
