//! `ssl pretrain`

use serde::Serialize;
use skeletonmae::train::{Optimizer, pretrain_loss, reconstruction};
use skeletonmae::{Controlled, Several};
use strl::Pretraining;

use super::{next, take};
use crate::args::PretrainArgs;
use crate::checkpoint::Kind;
use crate::config::Config;
use crate::data::Data;
use crate::failure::Outcome;
use crate::feed::Feed;
use crate::printer::Printer;
use crate::ranks::world;
use crate::report::ReconstructionReport;
use crate::run::{RECONSTRUCTION, Run};
use crate::signal::Interrupt;
use crate::train::{self, Metrics, Setup, Task, Training};

/// Trains a SkeletonMAE and says how well it reconstructs.
pub fn run(args: &PretrainArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    train::run::<Reconstructing>(
        (&args.settings, &args.run),
        None,
        |run| {
            take(&args.split, &mut run.split);
            take(&args.val, &mut run.val);
            if !args.also.is_empty() {
                run.also.clone_from(&args.also);
            }
            (run.train, run.holdout, run.test, run.encoder) = (None, None, None, None);
            run.labels = None;
        },
        |config| next::after_pretrain(args, config),
        printer,
        interrupt,
    )
}

/// What an epoch measures.
#[derive(Serialize)]
struct Val {
    #[serde(skip_serializing_if = "Option::is_none")]
    val_loss: Option<f64>,
}

impl Metrics for Val {
    fn words(&self) -> String {
        let val = self.val_loss.map(|loss| format!(", val {loss:.4}"));
        val.unwrap_or_default()
    }

    fn score(&self) -> Option<f64> {
        self.val_loss.map(|loss| -loss)
    }
}

/// A model that is pre-trained, and the clips of its validation curve with their split's name.
struct Reconstructing {
    model: Several<Controlled<Pretraining>>,
    val: Option<(Feed, String)>,
}

impl Task for Reconstructing {
    const KIND: Kind = Kind::Pretrain;
    const DOING: &str = "pre-training";
    type Learner = Several<Controlled<Pretraining>>;
    type Measured = Val;

    fn set_up<'a>(
        config: &'a Config,
        printer: &Printer,
        interrupt: &'a Interrupt,
    ) -> Outcome<Training<'a, Self>> {
        let own = &config.pretrain()?.engine;
        let data = Data::open(config.run.data.as_deref())?;
        let (split, reading) = (config.split(Self::KIND)?, &config.reading);
        let clips = data.shown(split, reading, config.run.skip_empty, printer)?;
        let setup = Setup::new(Self::KIND, config, data, clips, interrupt)?.with_also(printer)?;
        let (mae, strl) = (&config.model.mae, config.model.strl.as_ref());
        let model = |data: &Data| -> Outcome<Controlled<Pretraining>> {
            let input = (data.layout(), data.coordinates(), reading.frames);
            own.validate(data.layout())
                .map_err(|error| error.within("pretrain"))?;
            let vb = setup.store.builder();
            let model = Pretraining::new(&own.objective, mae, strl, input, vb)?;
            Ok(Controlled {
                learner: model.with_features(setup.feeds.machine.features),
                control: own.control,
            })
        };
        let mut val = setup.measured(&config.run.val, printer)?;
        if let Some((feed, _)) = val.as_mut().filter(|_| own.objective.reads_twice()) {
            let augment = &config.pretrain()?.augment;
            *feed = setup
                .feeds
                .of(feed.clips().to_vec(), Some(augment))?
                .twice();
        }
        let also = setup.also.iter().map(|set| &set.data);
        let models = [&setup.data].into_iter().chain(also).map(model);
        Ok(Training {
            task: Reconstructing {
                model: Several(models.collect::<Outcome<_>>()?),
                val,
            },
            optimizer: Optimizer::new(own.optimizer, setup.store.parameters())?,
            setup,
        })
    }

    fn learner(&self) -> &Several<Controlled<Pretraining>> {
        &self.model
    }

    fn measure(training: &Training<'_, Self>) -> Outcome<Val> {
        let (task, setup) = (&training.task, &training.setup);
        let val = task.val.as_ref().map(|(val, _)| {
            let batches = val.own_batches(setup.settings.micro_batch);
            let held_out = |batch: &_, at| task.model.0[0].learner.held_out(batch, at);
            pretrain_loss(held_out, setup.config.run.seed, batches, world())
        });
        let val_loss = val.transpose().map_err(|error| world().failure(error))?;
        Ok(Val { val_loss })
    }

    /// How well masked joints of held-out clips are put back: rank 0 alone finds out.
    fn finish(training: &Training<'_, Self>, run: &Run, printer: &Printer) -> Outcome {
        if !run.is_ours() {
            return Ok(());
        }
        let (task, setup) = (&training.task, &training.setup);
        let (Some((val, name)), Some(model)) = (&task.val, task.model.0[0].learner.autoencoder())
        else {
            return Ok(());
        };
        let layout = setup.data.layout();
        let batches = val.batches(setup.settings.micro_batch);
        let sums = reconstruction(model, layout, batches)?;
        let report = ReconstructionReport::new(name, layout, &sums);
        run.write_json(RECONSTRUCTION, &report)?;
        printer.document(&report.text())
    }
}
