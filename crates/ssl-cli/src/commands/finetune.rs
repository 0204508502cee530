//! `ssl finetune`

use std::collections::BTreeSet;

use serde::Serialize;
use skeletonmae::train::Optimizer;
use strl::Finetuning;

use super::labelled::{Labelled, evaluation};
use super::{next, take};
use crate::args::FinetuneArgs;
use crate::checkpoint::{self, Kind, Origin};
use crate::config::Config;
use crate::data::Data;
use crate::failure::Outcome;
use crate::feed::Feed;
use crate::models::{Opened, classifier};
use crate::printer::Printer;
use crate::report::{BestEvaluation, Evaluation, count, percent};
use crate::run::{Labels, Run, TEST, TEST_BEST};
use crate::signal::Interrupt;
use crate::train::{self, Metrics, Setup, Task, Training};

/// Trains an STRL classifier.
pub fn run(args: &FinetuneArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    train::run::<Classification>(
        (&args.settings, &args.run),
        args.encoder.as_deref(),
        |run| {
            take(&args.train, &mut run.train);
            take(&args.holdout, &mut run.holdout);
            take(&args.labels, &mut run.labels);
            take(&args.test, &mut run.test);
            take(&args.encoder, &mut run.encoder);
            (run.split, run.val) = (None, None);
        },
        |config| next::after_finetune(args, config),
        printer,
        interrupt,
    )
}

/// What an epoch measures on the held-out part of the training split.
#[derive(Serialize)]
struct HeldOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    val_top1: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    val_mean_class: Option<f64>,
}

impl Metrics for HeldOut {
    fn words(&self) -> String {
        let val = self.val_top1.map(percent);
        val.map_or(String::new(), |top1| format!(", held-out top-1 {top1}"))
    }

    fn score(&self) -> Option<f64> {
        self.val_top1
    }
}

/// A classifier that learns from labels.
struct Classification {
    learner: Finetuning,
    encoder: Option<Opened>,
    /// The labels that are known, where it isn't all.
    known: Option<Labels>,
    /// The held-out part of the training split.
    held: Option<Feed>,
    /// The clips measured once, after the last epoch, with their split's name.
    test: Option<(Feed, String)>,
}

impl Task for Classification {
    const KIND: Kind = Kind::Finetune;
    const DOING: &str = "fine-tuning";
    type Learner = Finetuning;
    type Measured = HeldOut;

    fn set_up<'a>(
        config: &'a Config,
        printer: &Printer,
        interrupt: &'a Interrupt,
    ) -> Outcome<Training<'a, Self>> {
        let (own, run) = (&config.finetune()?.engine, &config.run);
        let data = Data::open(run.data.as_deref())?;
        let split = config.split(Self::KIND)?;
        let Labelled { train, held, known } =
            Labelled::of(&data, split, (run, &config.reading), printer)?;
        let encoder = run.encoder.as_ref();
        let encoder = encoder.map(|path| Opened::read(path, Kind::Pretrain));
        let encoder = encoder.transpose()?;
        if let Some(encoder) = &encoder {
            let (meta, origin) = (&encoder.checkpoint.meta, &encoder.origin);
            data.facts().fit_numbers(meta, origin)?;
        }
        let setup = Setup::new(Self::KIND, config, data, train, interrupt)?;
        let held = (!held.is_empty()).then(|| setup.feeds.of(held, None));
        let machine = &setup.feeds.machine;
        let model = classifier(config, &setup.data, &setup.store, machine)?;
        let lent = match &encoder {
            Some(encoder) => encoder.copy_encoder_to(&setup.store, config)?,
            None => BTreeSet::new(),
        };
        let rate = |name: &str| match lent.contains(name) {
            true => own.pretrained_rate,
            false => 1.0,
        };
        let trained = own.encoder.trained(setup.store.parameters());
        Ok(Training {
            task: Classification {
                learner: Finetuning::new(model, own),
                encoder,
                known,
                held: held.transpose()?,
                test: setup.measured(&run.test, printer)?,
            },
            optimizer: Optimizer::new(own.optimizer, trained)?.with_factors(rate)?,
            setup,
        })
    }

    fn learner(&self) -> &Finetuning {
        &self.learner
    }

    fn clips(&self, data: &Data) -> String {
        let held = self.held.as_ref();
        let held = held.map(|held| format!(", {} held out", held.len()));
        let classes = count(data.classes().len(), "class");
        format!("{}, {classes}", held.unwrap_or_default())
    }

    fn start(&self, data: &Data) -> Option<String> {
        Some(match &self.encoder {
            Some(encoder) => encoder.encoder_origin(data),
            None => {
                "encoder: none given, training from scratch (--encoder RUN takes a pre-trained one)"
                    .to_owned()
            }
        })
    }

    fn origin(&self) -> Option<&Origin> {
        self.encoder.as_ref().map(|encoder| &encoder.origin)
    }

    fn labels(&self) -> Option<&Labels> {
        self.known.as_ref()
    }

    fn measure(training: &Training<'_, Self>) -> Outcome<HeldOut> {
        let (task, setup) = (&training.task, &training.setup);
        let metrics = match &task.held {
            Some(held) => {
                let batches = held.own_batches(setup.settings.micro_batch);
                let batches = batches.map(|(_, batch)| batch);
                let scores = held.scores(&task.learner.model, batches)?;
                scores.metrics(setup.data.classes().len())
            }
            None => None,
        };
        Ok(HeldOut {
            val_top1: metrics.as_ref().map(|metrics| metrics.top1),
            val_mean_class: metrics.map(|metrics| metrics.mean_class),
        })
    }

    /// The one measurement on the test split; beside it, where clips were held out, that of the epoch that was best on
    /// them.
    fn finish(training: &Training<'_, Self>, run: &Run, printer: &Printer) -> Outcome {
        let Some(evaluation) = test(training)? else {
            return Ok(());
        };
        run.write_json(TEST, &evaluation)?;
        printer.document(&evaluation.text())?;
        if training.task.held.is_none() {
            return Ok(());
        }
        let mut epoch = 0;
        if run.is_ours() {
            let (best, _) = checkpoint::read(&run.best_path())?;
            training.setup.store.load(&best.tensors)?;
            epoch = best.meta.epoch;
        }
        train::agree_on_numbers(&training.setup.store)?;
        let Some(evaluation) = test(training)? else {
            return Ok(());
        };
        let (top1, mean_class) = (evaluation.top1, evaluation.mean_class);
        run.write_json(TEST_BEST, &BestEvaluation { epoch, evaluation })?;
        printer.document(&format!(
            "the epoch that was best on held-out clips, {epoch} of {}: top-1 {}, mean class {}\n",
            training.setup.settings.epochs,
            percent(top1),
            percent(mean_class)
        ))
    }
}

/// The model as it is now, measured on the test split.
fn test(training: &Training<'_, Classification>) -> Outcome<Option<Evaluation>> {
    let (task, setup) = (&training.task, &training.setup);
    let Some((test, name)) = &task.test else {
        return Ok(None);
    };
    let batches = test.own_batches(setup.settings.micro_batch);
    let batches = batches.map(|(_, batch)| batch);
    let scores = test.scores(&task.learner.model, batches)?;
    let (views, data) = (test.views(), setup.data.fingerprint());
    evaluation(&scores, views, name, data, setup.data.classes()).map(Some)
}
