//! `ssl finetune`

use candle_core::DType;
use serde::Serialize;
use skeletonmae::Store;
use skeletonmae::train::Optimizer;
use strl::{FinetuneConfig, Strl, Task, finetune_epoch, score};

use super::evaluate::nothing_labelled;
use super::labelled::Labelled;
use super::{next, required};
use crate::args::FinetuneArgs;
use crate::checkpoint::{Checkpoint, Kind, Origin};
use crate::config::Config;
use crate::data::Data;
use crate::failure::Outcome;
use crate::feed::Feed;
use crate::machine::Machine;
use crate::models::{Opened, meta};
use crate::printer::Printer;
use crate::report::{Evaluation, count, percent};
use crate::run::{Info, Labels, Run};
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
        let val = self
            .val_top1
            .map(|top1| format!(", held-out top-1 {}", percent(top1)));
        format!("loss {:.4}{}", self.loss, val.unwrap_or_default())
    }
}

/// Trains an STRL classifier.
pub fn run(args: &FinetuneArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let config = resolve(args)?;
    Run::check(&args.run.out, args.run.overwrite)?;
    let mut job = Job::set_up(&config, printer, interrupt)?;
    let (seed, data) = (config.run.seed, job.data.fingerprint());
    let mut info = Info::new(Kind::Finetune, seed, data, &job.machine, job.origin());
    (info.clips, info.labels) = (Some(job.train.len()), job.labels.take());
    let mut run = Run::create(&args.run.out, args.run.overwrite, &config.to_toml()?, &info)?;
    job.announce(printer);
    job.train(&mut run, printer, interrupt)?;
    job.test(&run, printer)?;
    printer.document(&format!("checkpoint: {}", run.checkpoint_path().display()))?;
    printer.document(&format!("next: {}", next::after_finetune(args, &config)))
}

fn resolve(args: &FinetuneArgs) -> Outcome<Config> {
    Config::resolve(&args.settings, Kind::Finetune, |run| {
        super::flags(&args.run, run);
        super::take(&args.train, &mut run.train);
        super::take(&args.holdout, &mut run.holdout);
        super::take(&args.labels, &mut run.labels);
        super::take(&args.test, &mut run.test);
        super::take(&args.encoder, &mut run.encoder);
        (run.split, run.val) = (None, None);
    })
}

/// Everything a fine-tuning needs, checked before anything is written.
struct Job<'a> {
    config: &'a Config,
    engine: &'a FinetuneConfig,
    split: &'a str,
    data: Data,
    machine: Machine,
    encoder: Option<Opened>,
    train: Feed,
    /// The held-out part of the training split.
    held: Option<Feed>,
    /// The labels that were known, where it wasn't all.
    labels: Option<Labels>,
    /// The clips measured once, after the last epoch, with their split's name.
    test: Option<(Feed, &'a str)>,
    store: Store,
    model: Strl,
    optimizer: Optimizer,
}

impl<'a> Job<'a> {
    fn set_up(config: &'a Config, printer: &Printer, interrupt: &Interrupt) -> Outcome<Job<'a>> {
        let (job, strl) = (config.finetune()?, config.strl()?);
        job.engine.validate()?;
        strl.validate(config.model.mae.width)?;
        let data = Data::open(config.run.data.as_deref())?;
        let split = required(&config.run.train, "--train", "run.train")?;
        let Labelled { train, held, known } = Labelled::of(&data, split, &config.run, printer)?;
        let test = config.run.test.as_deref();
        let test = test
            .map(|name| data.split(name).map(|clips| (clips, name)))
            .transpose()?;
        let encoder = match &config.run.encoder {
            Some(path) => Some(Opened::read(path, Kind::Pretrain)?),
            None => None,
        };
        encoder
            .as_ref()
            .map_or(Ok(()), |encoder| encoder.fit(&data.facts()))?;

        let machine = Machine::start(config.run.device, config.run.threads)?;
        let feed = |clips, augment| {
            let source = data.source();
            Feed::new(source, clips, &config.reading, augment, &machine, interrupt)
        };
        let train = feed(train, Some(&job.augment))?;
        let held = if held.is_empty() {
            None
        } else {
            Some(feed(held, None)?)
        };
        let test = match test {
            Some((clips, name)) => Some((feed(clips, None)?, name)),
            None => None,
        };
        let store = Store::new(config.run.seed, DType::F32, &machine.device);
        let model = Strl::new(
            &config.model.mae,
            strl,
            task(&data, config),
            store.builder(),
        )?;
        encoder
            .as_ref()
            .map_or(Ok(()), |encoder| encoder.lend_encoder(&store, config))?;
        let optimizer = Optimizer::new(job.engine.optimizer, store.parameters())?;
        let engine = &job.engine;
        Ok(Job {
            config,
            engine,
            split,
            data,
            machine,
            encoder,
            train,
            held,
            labels: known,
            test,
            store,
            model,
            optimizer,
        })
    }

    fn origin(&self) -> Option<&Origin> {
        self.encoder.as_ref().map(|encoder| &encoder.origin)
    }

    fn announce(&self, printer: &Printer) {
        let held = self
            .held
            .as_ref()
            .map(|held| format!(", {} held out", held.len()));
        printer.say(format!(
            "fine-tuning on {} {}: {}{}, {}, {} parameters, {}",
            self.data.dataset(),
            self.split,
            count(self.train.len(), "clip"),
            held.unwrap_or_default(),
            count(self.data.classes().len(), "class"),
            super::parameters(&self.store),
            count(self.machine.threads, "thread"),
        ));
        printer.say(match &self.encoder {
            Some(encoder) => encoder.told(&self.data),
            None => {
                "encoder: none given, training from scratch (--encoder RUN takes a pre-trained one)"
                    .to_owned()
            }
        });
        super::say_micro_batches(printer, self.engine.batch, self.engine.micro_batch);
    }

    fn train(&mut self, run: &mut Run, printer: &Printer, interrupt: &Interrupt) -> Outcome {
        let Job {
            config,
            engine,
            data,
            encoder,
            train,
            held,
            store,
            model,
            optimizer,
            ..
        } = self;
        let (seed, micro_batch) = (config.run.seed, engine.micro_batch);
        let origin = encoder.as_ref().map(|encoder| &encoder.origin);
        let (epochs, clips) = (engine.epochs, train.len());
        let mut session = Session {
            run,
            printer,
            interrupt,
            epochs,
            clips,
        };
        session.epochs(
            |epoch, observer| {
                let steps = train.steps(seed, epoch, engine.batch, micro_batch);
                finetune_epoch(model, engine, optimizer, seed, epoch, steps, observer)
            },
            |epoch, report| {
                let metrics = match held {
                    Some(held) => score(model, held.batches(micro_batch))?
                        .averaged(held.views())
                        .metrics(data.classes().len()),
                    None => None,
                };
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
                let meta = meta(Kind::Finetune, config, data, epoch, origin)?;
                Ok(Checkpoint {
                    meta,
                    tensors: store.tensors(),
                })
            },
        )
    }

    /// The one measurement on the test split.
    fn test(&self, run: &Run, printer: &Printer) -> Outcome {
        let Some((test, name)) = &self.test else {
            return Ok(());
        };
        let classes = self.data.classes();
        let scores = score(&self.model, test.batches(self.engine.micro_batch))?;
        let metrics = scores
            .averaged(test.views())
            .metrics(classes.len())
            .ok_or_else(|| nothing_labelled(name))?;
        let (views, fingerprint) = (test.views(), self.data.fingerprint());
        let evaluation = Evaluation::new(metrics, views, name, fingerprint, classes);
        run.test(&evaluation)?;
        printer.document(&evaluation.text())
    }
}

fn task<'a>(data: &'a Data, config: &Config) -> Task<'a> {
    Task {
        layout: data.layout(),
        coordinates: data.coordinates(),
        frames: config.reading.frames,
        classes: data.classes().len(),
    }
}
