//! `ssl pretrain`

use candle_core::DType;
use serde::Serialize;
use skeletonmae::train::{Optimizer, pretrain_epoch, pretrain_loss, reconstruction};
use skeletonmae::{SkeletonMae, Store};

use super::{next, required};
use crate::args::PretrainArgs;
use crate::checkpoint::{Checkpoint, Kind};
use crate::config::Config;
use crate::data::Data;
use crate::failure::Outcome;
use crate::feed::Feed;
use crate::machine::Machine;
use crate::models::meta;
use crate::printer::Printer;
use crate::report::{ReconstructionReport, count};
use crate::run::{Info, Run};
use crate::signal::Interrupt;
use crate::train::{Metrics, Session};

/// A line of metrics.jsonl.
#[derive(Serialize)]
struct Line {
    epoch: usize,
    loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_loss: Option<f64>,
}

impl Metrics for Line {
    fn words(&self) -> String {
        let val = self
            .val_loss
            .map_or(String::new(), |loss| format!(", val {loss:.4}"));
        format!("loss {:.4}{val}", self.loss)
    }
}

/// Trains a SkeletonMAE and says how well it reconstructs.
pub fn run(args: &PretrainArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let config = resolve(args)?;
    let job = config.pretrain()?;
    Run::check(&args.run.out, args.run.overwrite)?;
    let data = Data::open(config.run.data.as_deref())?;
    let split = required(&config.run.split, "--split", "run.split")?;
    let (split_clips, val_clips) = (
        data.split(split)?,
        config
            .run
            .val
            .as_deref()
            .map(|name| data.split(name))
            .transpose()?,
    );
    let layout = data.layout();
    job.engine.validate(layout)?;

    let machine = Machine::start(config.run.device, config.run.threads)?;
    let feed = |clips, augment| {
        Feed::new(
            data.source(),
            clips,
            &config.reading,
            augment,
            &machine,
            interrupt,
        )
    };
    let train = feed(split_clips, Some(&job.augment))?;
    let val = val_clips.map(|clips| feed(clips, None)).transpose()?;
    let store = Store::new(config.run.seed, DType::F32, &machine.device);
    let model = SkeletonMae::new(
        &config.model.mae,
        layout,
        data.coordinates(),
        store.builder(),
    )?;
    let mut optimizer = Optimizer::new(job.engine.optimizer, store.parameters())?;

    let info = Info::new(
        "pretrain",
        config.run.seed,
        data.fingerprint(),
        machine.name,
        machine.threads,
        None,
    );
    let mut run = Run::create(&args.run.out, args.run.overwrite, &config.to_toml()?, &info)?;
    let (seed, micro_batch) = (config.run.seed, job.engine.micro_batch);
    printer.say(format!(
        "pre-training on {} {split}: {}, {} parameters, {}",
        data.dataset(),
        count(train.len(), "clip"),
        super::parameters(&store),
        count(machine.threads, "thread"),
    ));
    super::say_micro_batches(printer, job.engine.batch, micro_batch);
    let mut session = Session {
        run: &mut run,
        printer,
        interrupt,
        epochs: job.engine.epochs,
        clips: train.len(),
    };
    session.epochs(
        |epoch, observer| {
            let steps = train.steps(seed, epoch, job.engine.batch, micro_batch);
            pretrain_epoch(
                &model,
                layout,
                &job.engine,
                &mut optimizer,
                seed,
                epoch,
                steps,
                observer,
            )
        },
        |epoch, report| {
            let loss = |val: &Feed| {
                pretrain_loss(&model, layout, &job.engine, seed, val.batches(micro_batch))
            };
            Ok(Line {
                epoch: epoch + 1,
                loss: report.loss,
                val_loss: val.as_ref().map(loss).transpose()?,
            })
        },
        |epoch| {
            Ok(Checkpoint {
                meta: meta(Kind::Pretrain, &config, &data, epoch, None)?,
                tensors: store.tensors(),
            })
        },
    )?;

    if let (Some(val), Some(name)) = (&val, &config.run.val) {
        let sums = reconstruction(&model, layout, val.batches(micro_batch))?;
        let report = ReconstructionReport::new(name, layout, &sums);
        run.reconstruction(&report)?;
        printer.document(&report.text())?;
    }
    printer.document(&format!("checkpoint: {}", run.checkpoint_path().display()))?;
    printer.document(&format!("next: {}", next::after_pretrain(args, &config)))
}

fn resolve(args: &PretrainArgs) -> Outcome<Config> {
    Config::resolve(&args.settings, Kind::Pretrain, |run| {
        super::flags(&args.run, run);
        super::take(&args.split, &mut run.split);
        super::take(&args.val, &mut run.val);
        (run.train, run.holdout, run.test, run.encoder) = (None, None, None, None);
    })
}
