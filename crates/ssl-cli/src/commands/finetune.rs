//! `ssl finetune`

use candle_core::DType;
use serde::Serialize;
use skeleton_data::split::stratified_holdout;
use skeletonmae::Store;
use skeletonmae::train::Optimizer;
use strl::{Strl, Task, finetune_epoch, score};

use super::evaluate::nothing_labelled;
use super::{next, required};
use crate::args::FinetuneArgs;
use crate::checkpoint::{Checkpoint, Kind};
use crate::config::Config;
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::feed::Feed;
use crate::machine::Machine;
use crate::models::{Opened, meta};
use crate::printer::Printer;
use crate::report::{Evaluation, count, percent};
use crate::run::{Info, Run};
use crate::signal::Interrupt;
use crate::train::{Metrics, Session};

/// A line of metrics.jsonl; `val` is the held-out part of the training split.
#[derive(Serialize)]
struct Line {
    epoch: usize,
    loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_top1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_mean_class: Option<f64>,
}

impl Metrics for Line {
    fn words(&self) -> String {
        let val = self.val_top1.map_or(String::new(), |top1| {
            format!(", held-out top-1 {}", percent(top1))
        });
        format!("loss {:.4}{val}", self.loss)
    }
}

/// Trains an STRL classifier.
pub fn run(args: &FinetuneArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let config = resolve(args)?;
    let (job, strl) = (config.finetune()?, config.strl()?);
    job.engine.validate()?;
    strl.validate(config.model.mae.width)?;
    Run::check(&args.run.out, args.run.overwrite)?;
    let data = Data::open(config.run.data.as_deref())?;
    let clips = Clips::of(&data, &config, printer)?;
    let encoder = encoder(&config, &data)?;

    let machine = Machine::start(config.run.device, config.run.threads)?;
    let feed = |clips: &[u32], augment| {
        Feed::new(
            data.source(),
            clips.to_vec(),
            &config.reading,
            augment,
            &machine,
            interrupt,
        )
    };
    let train = feed(&clips.train, Some(&job.augment))?;
    let val = (!clips.held.is_empty())
        .then(|| feed(&clips.held, None))
        .transpose()?;
    let test = clips
        .test
        .as_ref()
        .map(|clips| feed(clips, None))
        .transpose()?;
    let store = Store::new(config.run.seed, DType::F32, &machine.device);
    let classes = data.classes().len();
    let (layout, coordinates, frames) = (data.layout(), data.coordinates(), config.reading.frames);
    let model = Strl::new(
        &config.model.mae,
        strl,
        Task {
            layout,
            coordinates,
            frames,
            classes,
        },
        store.builder(),
    )?;
    if let Some(encoder) = &encoder {
        encoder.lend_encoder(&store, &config)?;
    }
    let mut optimizer = Optimizer::new(job.engine.optimizer, store.parameters())?;

    let origin = encoder.as_ref().map(|encoder| &encoder.origin);
    let info = Info::new(
        "finetune",
        config.run.seed,
        data.fingerprint(),
        machine.name,
        machine.threads,
        origin,
    );
    let mut run = Run::create(&args.run.out, args.run.overwrite, &config.to_toml()?, &info)?;
    let (seed, micro_batch) = (config.run.seed, job.engine.micro_batch);
    printer.say(format!(
        "fine-tuning on {} {}: {}, {} parameters, {}",
        data.dataset(),
        clips.text(),
        count(classes, "class"),
        super::parameters(&store),
        count(machine.threads, "thread"),
    ));
    say_encoder(printer, encoder.as_ref());
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
            finetune_epoch(
                &model,
                &job.engine,
                &mut optimizer,
                seed,
                epoch,
                steps,
                observer,
            )
        },
        |epoch, report| {
            let scores = val
                .as_ref()
                .map(|val| score(&model, val.batches(micro_batch)))
                .transpose()?;
            let metrics = scores.and_then(|scores| scores.metrics(classes));
            let (val_top1, val_mean_class) =
                metrics.map_or((None, None), |m| (Some(m.top1), Some(m.mean_class)));
            Ok(Line {
                epoch: epoch + 1,
                loss: report.loss,
                val_top1,
                val_mean_class,
            })
        },
        |epoch| {
            Ok(Checkpoint {
                meta: meta(Kind::Finetune, &config, &data, epoch, origin)?,
                tensors: store.tensors(),
            })
        },
    )?;

    if let (Some(test), Some(name)) = (&test, &config.run.test) {
        let metrics = score(&model, test.batches(micro_batch))?.metrics(classes);
        let metrics = metrics.ok_or_else(|| nothing_labelled(name))?;
        let evaluation = Evaluation::new(metrics, name, data.fingerprint(), data.classes());
        run.test(&evaluation)?;
        printer.document(&evaluation.text())?;
    }
    printer.document(&format!("checkpoint: {}", run.checkpoint_path().display()))?;
    printer.document(&format!("next: {}", next::after_finetune(args, &config)))
}

fn resolve(args: &FinetuneArgs) -> Outcome<Config> {
    Config::resolve(&args.settings, Kind::Finetune, |run| {
        super::flags(&args.run, run);
        super::take(&args.train, &mut run.train);
        super::take(&args.holdout, &mut run.holdout);
        super::take(&args.test, &mut run.test);
        super::take(&args.encoder, &mut run.encoder);
        (run.split, run.val) = (None, None);
    })
}

/// The checkpoint whose encoder is the start, if there is one.
fn encoder(config: &Config, data: &Data) -> Outcome<Option<Opened>> {
    let Some(path) = &config.run.encoder else {
        return Ok(None);
    };
    let encoder = Opened::read(path, Kind::Pretrain)?;
    encoder.fit(&data.facts())?;
    Ok(Some(encoder))
}

fn say_encoder(printer: &Printer, encoder: Option<&Opened>) {
    printer.say(match encoder {
        Some(encoder) => {
            let meta = &encoder.checkpoint.meta;
            format!("encoder: {}, pre-trained on {} for {}", encoder.origin.path.display(), meta.data.dataset, count(meta.epoch, "epoch"))
        }
        None => "encoder: none, so training starts from scratch (--encoder RUN starts from a pre-trained one)".to_owned(),
    });
}

/// The clips of a run, by the cache's indices.
struct Clips {
    split: String,
    train: Vec<u32>,
    held: Vec<u32>,
    test: Option<Vec<u32>>,
}

impl Clips {
    fn of(data: &Data, config: &Config, printer: &Printer) -> Outcome<Clips> {
        let split = required(&config.run.train, "--train", "run.train")?;
        let all = data.split(split)?;
        let test = config
            .run
            .test
            .as_deref()
            .map(|name| data.split(name))
            .transpose()?;
        let labels = data.labels();
        let labelled: Vec<u32> = all
            .iter()
            .copied()
            .filter(|&clip| labels[clip as usize].is_some())
            .collect();
        if labelled.is_empty() {
            return Err(Failure::error(format!(
                "split {split:?}: expected labelled clips, found none"
            ))
            .hint("`ssl pretrain` needs no labels; fine-tuning does"));
        }
        if labelled.len() < all.len() {
            printer.warn(format!(
                "{} of {split} without a label left out",
                count(all.len() - labelled.len(), "clip")
            ));
        }
        let share = config.run.holdout.unwrap_or(0.0);
        let (train, held) = stratified_holdout(&labels, &labelled, share, config.run.seed)?;
        Ok(Clips {
            split: split.to_owned(),
            train,
            held,
            test,
        })
    }

    /// `train1 (390 clips, 43 held out)`
    fn text(&self) -> String {
        let held = if self.held.is_empty() {
            String::new()
        } else {
            format!(", {} held out", self.held.len())
        };
        format!("{} ({}{held})", self.split, count(self.train.len(), "clip"))
    }
}
