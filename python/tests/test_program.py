"""The program and its settings, called from Python."""

import os
import signal
import subprocess
import sys
import time
import unittest
from pathlib import Path

import skeletonmae
from skeletonmae import Error, Loader, plan, run, settings, shuffled
from support import SMALL, finetune


class Running(unittest.TestCase):
    def test_the_package_brings_its_own_program(self):
        program = skeletonmae.program()
        self.assertTrue(program.is_file())
        self.assertEqual(program.parent, Path(sys.executable).parent)
        version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(version.split(), ["ssl", skeletonmae.__version__])

    def test_a_training_gives_its_card_and_an_evaluation_its_measures(self):
        card = run("finetune", preset="quick", data="synthetic.h5", train="val", out="run/fine", set=SMALL, progress=False)
        self.assertEqual((card["kind"], card["training"]["epochs"]), ("finetune", 1))
        self.assertEqual(card["settings"]["reading"]["frames"], 16)
        measured = run("evaluate", "run/fine", data="synthetic.h5", split="val", progress=False)
        self.assertEqual(measured["n"], 288)
        self.assertEqual(len(run("predict", "run/fine", data="synthetic.h5", split="val", progress=False)), 288)

    def test_mistakes_are_exceptions_with_the_programs_words(self):
        with self.assertRaisesRegex(Error, "(?s)no split named.*train"):
            run("finetune", preset="quick", data="synthetic.h5", train="none", out="run/none", progress=False)
        with self.assertRaisesRegex(Error, "finetune.epoch.*\n?.*"):
            run("finetune", preset="quick", data="synthetic.h5", train="val", out="run/none", set={"finetune.epoch": 1}, progress=False)
        with self.assertRaisesRegex(Error, "(?s)synthetic.h5.*overwrite"):
            skeletonmae.prepare("synthetic.h5", dataset="synthetic", progress=False)
        with self.assertRaisesRegex(Error, "unexpected argument|unrecognized"):
            run("predict", nonsense=1, progress=False)

    def test_progress_is_shown_on_stderr_unless_it_is_unwanted(self):
        code = "import skeletonmae as s; s.prepare('p.h5', dataset='synthetic', overwrite=True, progress=%s)"
        shown, quiet = (
            subprocess.run([sys.executable, "-c", code % progress], capture_output=True, text=True, check=True)
            for progress in (True, False)
        )
        self.assertEqual((quiet.stdout, quiet.stderr), ("", ""))
        self.assertEqual(shown.stdout, "")

    @unittest.skipUnless(os.name == "posix", "signals are POSIX's")
    def test_an_interrupt_stops_the_program_which_keeps_its_state(self):
        code = (
            "import signal, skeletonmae as s\n"
            # Where the tests run in the background, their shell has them ignore it.
            "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
            "try: s.run('finetune', preset='quick', data='synthetic.h5', train='train', out='run/long', save_every=0,\n"
            "           set={'finetune.epochs': 10000, 'reading.frames': 16})\n"
            "except KeyboardInterrupt: print('interrupted')\n"
        )
        child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(child.kill)
        deadline = time.monotonic() + 120
        while not Path("run/long/metrics.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        out, _ = child.communicate(timeout=120)
        self.assertEqual((out, child.returncode), ("interrupted\n", 0))
        lines = len(Path("run/long/metrics.jsonl").read_text().splitlines())
        time.sleep(1)
        self.assertEqual(len(Path("run/long/metrics.jsonl").read_text().splitlines()), lines, "nothing goes on")


class Settings(unittest.TestCase):
    def test_they_come_from_presets_runs_checkpoints_and_files(self):
        run_folder = finetune("run/settings")
        quick, of_run = settings("quick"), settings(run_folder)
        self.assertEqual(of_run["reading"]["frames"], 16)
        self.assertEqual(of_run["finetune"]["augment"], quick["finetune"]["augment"])
        self.assertEqual(settings(f"{run_folder}/config.toml"), of_run)
        self.assertEqual(settings(f"{run_folder}/model.safetensors")["model"], of_run["model"])
        self.assertEqual(settings("zoo:utd_mhad")["model"]["width"], 64)
        with self.assertRaisesRegex(Error, "(?s)none.*quick"):
            settings("none")
        with self.assertRaisesRegex(Error, "(?s)none.*jhmdb, nw_ucla, utd_mhad"):
            settings("zoo:none")
        with self.assertRaisesRegex(Error, "nowhere.toml"):
            settings("nowhere.toml")


class Loading(unittest.TestCase):
    def test_batches_do_not_depend_on_workers_or_on_each_other(self):
        cache = skeletonmae.Cache("synthetic.h5")
        augment = '{"noise": 0.02, "turn": 0.6, "scale": 0.4, "crop": 0.6, "flip": 0.5}'
        clips = cache.split("val").tolist()
        loaders = [Loader(cache, '{"frames": 16}', augment, workers) for workers in (0, 2)]
        epochs = [list(loader.epoch(clips, 7, 1, 2)) for loader in loaders]
        self.assertEqual([len(batch.ids) for batch in epochs[0]], [7] * 41 + [1])
        for one, other in zip(*epochs, strict=True):
            self.assertEqual(one.keypoints.tobytes(), other.keypoints.tobytes())
            self.assertEqual(one.ids, other.ids)
        alone = loaders[0].batch(clips[7:9], 1, 2)
        self.assertEqual(alone.keypoints.tobytes(), epochs[0][1].keypoints[:2].tobytes())
        self.assertNotEqual(alone.keypoints.tobytes(), loaders[0].batch(clips[7:9], 1, 3).keypoints.tobytes())
        self.assertNotEqual(alone.keypoints.tobytes(), loaders[0].batch(clips[7:9], 2, 2).keypoints.tobytes())

    def test_settings_that_do_not_fit_are_refused_by_name(self):
        cache = skeletonmae.Cache("synthetic.h5")
        for reading, augment, wrong in [
            ('{"frame": 16}', None, "reading: unknown field `frame`"),
            ('{"frames": 0}', None, "reading.frames"),
            ("[]", None, "reading: expected settings"),
            ("{", None, "reading"),
            ("{}", '{"crop": 2}', "augment.crop"),
        ]:
            with self.assertRaisesRegex(Error, wrong):
                Loader(cache, reading, augment)
        with self.assertRaisesRegex(Error, "960"):
            Loader(cache).batch([960])
        with self.assertRaisesRegex(Error, "batch"):
            list(Loader(cache).epoch([1, 2], 0))

    def test_orders_and_steps_are_whole(self):
        order = shuffled(3, 1, 50).tolist()
        self.assertEqual(sorted(order), list(range(50)))
        self.assertNotEqual(order, shuffled(3, 2, 50).tolist())
        steps = plan(order, 16, 5)
        self.assertEqual([clip for step in steps for part in step for clip in part], order)


class Import(unittest.TestCase):
    def test_torch_is_not_needed(self):
        code = "import sys, skeletonmae; sys.exit('torch' in sys.modules)"
        self.assertEqual(subprocess.run([sys.executable, "-c", code]).returncode, 0)
