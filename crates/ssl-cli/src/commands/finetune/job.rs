//! What `ssl finetune` puts together.

use candle_core::DType;
use serde::Serialize;
use skeletonmae::Store;
use skeletonmae::train::{EpochReport, Observer, Optimizer, Pass, Progress, run_epoch};
use strl::{FinetuneConfig, Finetuning, Strl, Task, score};

use super::super::evaluate::nothing_labelled;
use super::super::labelled::Labelled;
use super::super::{none, parameters, required, say_micro_batches};
use crate::checkpoint::{Kind, Meta, Origin};
use crate::config::Config;
use crate::data::Data;
use crate::failure::Outcome;
use crate::feed::Feed;
use crate::fits;
use crate::machine::Machine;
use crate::models::{Opened, meta};
use crate::printer::Printer;
use crate::report::{Evaluation, count, percent};
use crate::run::Labels;
use crate::signal::Interrupt;
use crate::train::{Metrics, Training};

/// A line of metrics.jsonl; `val` is the held-out part of the training split.
#[derive(Serialize)]
pub struct Line {
    epoch: usize,
    loss: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_top1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_mean_class: Option<f64>,
    /// Steps left out since they weren't finite.
    #[serde(skip_serializing_if = "none")]
    skipped: usize,
}

impl Metrics for Line {
    fn words(&self) -> String {
        let val = self
            .val_top1
            .map(|top1| format!(", held-out top-1 {}", percent(top1)));
        let skipped = super::super::skipped(self.skipped);
        format!("loss {:.4}{}{skipped}", self.loss, val.unwrap_or_default())
    }

    fn score(&self) -> Option<f64> {
        self.val_top1
    }
}

/// Everything a fine-tuning needs, checked before anything is written.
pub struct Job<'a> {
    config: &'a Config,
    pub engine: &'a FinetuneConfig,
    split: &'a str,
    pub data: Data,
    pub machine: Machine,
    encoder: Option<Opened>,
    pub train: Feed,
    /// The held-out part of the training split.
    held: Option<Feed>,
    /// The labels that were known, where it wasn't all.
    pub labels: Option<Labels>,
    /// The clips measured once, after the last epoch, with their split's name.
    test: Option<(Feed, &'a str)>,
    pub store: Store,
    learner: Finetuning,
    optimizer: Optimizer,
}

impl<'a> Job<'a> {
    pub fn set_up(
        config: &'a Config,
        printer: &Printer,
        interrupt: &Interrupt,
    ) -> Outcome<Job<'a>> {
        let (job, strl) = (config.finetune()?, config.strl()?);
        let checked = job.engine.validate();
        checked.map_err(|error| error.within("finetune"))?;
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
        let at_once = job.engine.micro_batch.min(train.len());
        fits::Step {
            setting: "finetune.micro_batch",
            clips: at_once,
            tracks: data.most_tracks(&train, at_once, config.reading.persons),
            frames: config.reading.frames,
            joints: data.layout().len(),
            mae: &config.model.mae,
            strl: Some(strl),
        }
        .check()?;
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
        let optimizer = Optimizer::new(
            job.engine.optimizer,
            job.engine.encoder.trained(store.parameters()),
        )?;
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
            learner: Finetuning::new(model, engine),
            optimizer,
        })
    }

    pub fn origin(&self) -> Option<&Origin> {
        self.encoder.as_ref().map(|encoder| &encoder.origin)
    }

    pub fn announce(&self, printer: &Printer) {
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
            parameters(&self.store),
            count(self.machine.threads, "thread"),
        ));
        printer.say(match &self.encoder {
            Some(encoder) => encoder.told(&self.data),
            None => {
                "encoder: none given, training from scratch (--encoder RUN takes a pre-trained one)"
                    .to_owned()
            }
        });
        say_micro_batches(printer, self.engine.batch, self.engine.micro_batch);
    }

    /// Whether clips were held out, by which an epoch can be chosen.
    pub fn has_held_out(&self) -> bool {
        self.held.is_some()
    }

    /// The model as it is now, measured on the test split.
    pub fn test(&self) -> Outcome<Option<Evaluation>> {
        let Some((test, name)) = &self.test else {
            return Ok(None);
        };
        let classes = self.data.classes();
        let scores = score(&self.learner.model, test.batches(self.engine.micro_batch))?;
        let metrics = scores
            .averaged(test.views())
            .metrics(classes.len())
            .ok_or_else(|| nothing_labelled(name))?;
        let (views, fingerprint) = (test.views(), self.data.fingerprint());
        Ok(Some(Evaluation::new(
            metrics,
            views,
            name,
            fingerprint,
            classes,
        )))
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
            &self.learner,
            &pass,
            &training,
            &mut self.optimizer,
            steps,
            observer,
        )
    }

    fn measure(&self, epoch: usize, report: EpochReport) -> Outcome<Line> {
        let metrics = match &self.held {
            Some(held) => score(&self.learner.model, held.batches(self.engine.micro_batch))?
                .averaged(held.views())
                .metrics(self.data.classes().len()),
            None => None,
        };
        let (val_top1, val_mean_class) =
            metrics.map_or((None, None), |m| (Some(m.top1), Some(m.mean_class)));
        Ok(Line {
            epoch: epoch + 1,
            loss: report.loss,
            val_top1,
            val_mean_class,
            skipped: report.skipped,
        })
    }

    fn meta(&self, epochs: usize) -> Outcome<Meta> {
        let kind = Kind::Finetune;
        meta(kind, self.config, &self.data, epochs, self.origin())
    }

    fn store(&self) -> &Store {
        &self.store
    }

    fn optimizer(&mut self) -> &mut Optimizer {
        &mut self.optimizer
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
