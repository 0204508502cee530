//! `ssl pretrain`

use std::time::Duration;

use candle_core::DType;
use serde::Serialize;
use skeleton_data::reading::Reading;
use skeletonmae::train::{
    EpochReport, Observer, Optimizer, Pass, PretrainConfig, Progress, pretrain_loss,
    reconstruction, run_epoch,
};
use skeletonmae::{Pretext, Store};

use super::{next, none, required};
use crate::args::PretrainArgs;
use crate::checkpoint::{Kind, Meta};
use crate::config::Config;
use crate::data::Data;
use crate::failure::Outcome;
use crate::feed::Feed;
use crate::fits;
use crate::machine::Machine;
use crate::models::meta;
use crate::printer::Printer;
use crate::report::{ReconstructionReport, count};
use crate::run::{Info, Resumed, Run};
use crate::signal::Interrupt;
use crate::train::{Metrics, Session, Training};

/// A line of metrics.jsonl.
#[derive(Serialize)]
struct Line {
    epoch: usize,
    loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_loss: Option<f64>,
    /// Steps left out since they weren't finite.
    #[serde(skip_serializing_if = "none")]
    skipped: usize,
}

impl Metrics for Line {
    fn words(&self) -> String {
        let val = self.val_loss.map(|loss| format!(", val {loss:.4}"));
        let skipped = super::skipped(self.skipped);
        format!("loss {:.4}{}{skipped}", self.loss, val.unwrap_or_default())
    }

    fn score(&self) -> Option<f64> {
        self.val_loss.map(|loss| -loss)
    }
}

/// Trains a SkeletonMAE and says how well it reconstructs.
pub fn run(args: &PretrainArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let resumed = Resumed::find(&args.run, Kind::Pretrain, printer)?;
    let config = resolve(args, resumed.as_ref())?;
    if resumed.is_none() {
        Run::check(&args.run.out, args.run.overwrite)?;
    }
    let mut job = Job::set_up(&config, interrupt)?;
    let (seed, data) = (config.run.seed, job.data.fingerprint());
    let mut info = Info::new(Kind::Pretrain, seed, data, &job.machine, None);
    info.clips = Some(job.train.len());
    let (mut run, state) = Run::open(resumed, &args.run, &config, &info, &job, printer)?;
    job.announce(printer);
    let mut session = Session {
        run: &mut run,
        printer,
        interrupt,
        epochs: job.engine.epochs,
        clips: job.train.len(),
        save_every: Duration::from_secs(args.run.save_every),
    };
    session.train(&mut job, state)?;
    job.report(&run, printer)?;
    printer.document(&format!("checkpoint: {}", run.checkpoint_path().display()))?;
    printer.document(&format!("next: {}", next::after_pretrain(args, &config)))
}

fn resolve(args: &PretrainArgs, resumed: Option<&Resumed>) -> Outcome<Config> {
    let settings = super::settings(&args.settings, resumed);
    Config::resolve(&settings, Kind::Pretrain, |run| {
        super::flags(&args.run, run);
        super::take(&args.split, &mut run.split);
        super::take(&args.val, &mut run.val);
        (run.train, run.holdout, run.test, run.encoder) = (None, None, None, None);
        run.labels = None;
    })
}

/// Everything a pre-training needs, checked before anything is written.
struct Job<'a> {
    config: &'a Config,
    engine: &'a PretrainConfig,
    split: &'a str,
    data: Data,
    machine: Machine,
    train: Feed,
    /// The clips of the validation curve, with their split's name.
    val: Option<(Feed, &'a str)>,
    store: Store,
    model: Pretext,
    optimizer: Optimizer,
}

impl<'a> Job<'a> {
    fn set_up(config: &'a Config, interrupt: &Interrupt) -> Outcome<Job<'a>> {
        let job = config.pretrain()?;
        let data = Data::open(config.run.data.as_deref())?;
        let split = required(&config.run.split, "--split", "run.split")?;
        let clips = data.split(split)?;
        let val_clips = match config.run.val.as_deref() {
            Some(name) => Some((data.split(name)?, name)),
            None => None,
        };
        let checked = job.engine.validate(data.layout());
        checked.map_err(|error| error.within("pretrain"))?;
        let at_once = job.engine.micro_batch.min(clips.len());
        fits::Step {
            setting: "pretrain.micro_batch",
            clips: at_once,
            tracks: data.most_tracks(&clips, at_once, config.reading.persons),
            frames: config.reading.frames,
            joints: data.layout().len(),
            mae: &config.model.mae,
            strl: None,
        }
        .check()?;
        let machine = Machine::start(config.run.device, config.run.threads)?;
        // Several views are for class probabilities, of which there are none.
        let reading = Reading {
            clips: 1,
            ..config.reading.clone()
        };
        let feed = |clips, augment| {
            let source = data.source();
            Feed::new(source, clips, &reading, augment, &machine, interrupt)
        };
        let train = feed(clips, Some(&job.augment))?;
        let val = match val_clips {
            Some((clips, name)) => Some((feed(clips, None)?, name)),
            None => None,
        };
        let store = Store::new(config.run.seed, DType::F32, &machine.device);
        let (layout, c) = (data.layout(), data.coordinates());
        let (objective, mae) = (&job.engine.objective, &config.model.mae);
        let model = Pretext::new(objective, mae, layout, c, store.builder())?;
        let optimizer = Optimizer::new(job.engine.optimizer, store.parameters())?;
        let engine = &job.engine;
        Ok(Job {
            config,
            engine,
            split,
            data,
            machine,
            train,
            val,
            store,
            model,
            optimizer,
        })
    }

    fn announce(&self, printer: &Printer) {
        printer.say(format!(
            "pre-training on {} {}: {}, {} parameters, {}",
            self.data.dataset(),
            self.split,
            count(self.train.len(), "clip"),
            super::parameters(&self.store),
            count(self.machine.threads, "thread"),
        ));
        super::say_micro_batches(printer, self.engine.batch, self.engine.micro_batch);
    }

    /// How well masked joints of held-out clips are put back.
    fn report(&self, run: &Run, printer: &Printer) -> Outcome {
        let (Some((val, name)), Some(model)) = (&self.val, self.model.autoencoder()) else {
            return Ok(());
        };
        let layout = self.data.layout();
        let sums = reconstruction(model, layout, val.batches(self.engine.micro_batch))?;
        let report = ReconstructionReport::new(name, layout, &sums);
        run.reconstruction(&report)?;
        printer.document(&report.text())
    }
}

impl Training for Job<'_> {
    type Line = Line;

    fn epoch(
        &mut self,
        epoch: usize,
        from: Progress,
        observer: &mut dyn Observer,
    ) -> skeletonmae::Result<EpochReport> {
        let (seed, engine) = (self.config.run.seed, self.engine);
        let (batch, micro_batch) = (engine.batch, engine.micro_batch);
        let steps = self
            .train
            .steps(seed, epoch, from.steps, batch, micro_batch);
        let pass = Pass {
            from,
            ..Pass::new(&self.store, seed, epoch)
        };
        let training = engine.training();
        run_epoch(
            &self.model,
            &pass,
            &training,
            &mut self.optimizer,
            steps,
            observer,
        )
    }

    fn measure(&self, epoch: usize, report: EpochReport) -> Outcome<Line> {
        let (seed, engine) = (self.config.run.seed, self.engine);
        let val_loss = match &self.val {
            Some((val, _)) => {
                let batches = val.batches(engine.micro_batch);
                Some(pretrain_loss(&self.model, seed, batches)?)
            }
            None => None,
        };
        Ok(Line {
            epoch: epoch + 1,
            loss: report.loss,
            val_loss,
            skipped: report.skipped,
        })
    }

    fn meta(&self, epochs: usize) -> Outcome<Meta> {
        meta(Kind::Pretrain, self.config, &self.data, epochs, None)
    }

    fn store(&self) -> &Store {
        &self.store
    }

    fn optimizer(&mut self) -> &mut Optimizer {
        &mut self.optimizer
    }
}
