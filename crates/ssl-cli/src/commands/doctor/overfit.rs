//! Whether a classifier can learn one small batch by heart: if not, training on all of it won't work either.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use candle_core::DType;
use skeleton_data::survey::Survey;
use skeleton_graph::random::shuffled;
use skeletonmae::Store;
use skeletonmae::train::{BoxError, Decay, Optimizer, Schedule, StepReport};
use strl::{Strl, Task, finetune_epoch};

use crate::args::{DoctorArgs, SettingsArgs};
use crate::checkpoint::Kind;
use crate::config::{Config, PRESETS};
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::feed::Feed;
use crate::machine::Machine;
use crate::printer::Printer;
use crate::report::Overfit;
use crate::signal::Interrupt;

/// Clips of the batch, of as many classes as can be.
const CLIPS: usize = 16;
/// Updates at most.
const STEPS: usize = 200;
/// Time at most.
const TIME: Duration = Duration::from_secs(60);
/// One trial is the same as the next.
const SEED: u64 = 0;

/// The trial, its settings checked.
pub struct Trial {
    config: Config,
    settings: String,
    split: Option<String>,
    clips: Vec<u32>,
}

impl Trial {
    /// Takes the settings of a fine-tuning, and labelled clips of `split`, or of all clips where there is none.
    pub fn new(args: &DoctorArgs, data: &Data, split: Option<&str>) -> Outcome<Trial> {
        // `jhmdb` is the preset of `jhmdb14`.
        let own = PRESETS
            .iter()
            .find(|preset| data.dataset().starts_with(preset.name));
        let typed = args
            .overfit
            .settings(own.map_or("quick", |preset| preset.name));
        let mut config = Config::resolve(&typed, Kind::Finetune, |run| {
            super::super::take(&args.machine.threads, &mut run.threads);
            run.device = args.machine.device.unwrap_or(run.device);
        })?;
        // What keeps a model from learning by heart, which is what is asked of it here.
        if let Some(job) = &mut config.finetune {
            job.engine.label_smoothing = 0.0;
            job.engine.schedule = Schedule {
                warmup_epochs: 0,
                decay: Decay::Constant,
            };
        }
        if let Some(strl) = &mut config.model.strl {
            strl.dropout = 0.0;
        }
        config.finetune()?.engine.validate()?;
        config.strl()?.validate(config.model.mae.width)?;
        let clips = split.map_or_else(|| Ok(data.all()), |name| data.split(name))?;
        Ok(Trial {
            config,
            settings: source(&typed),
            split: split.map(str::to_owned),
            clips,
        })
    }

    /// Up to this score a joint is missing.
    pub fn threshold(&self) -> f32 {
        self.config.reading.score_threshold
    }

    /// Trains on one batch until every clip of it is taken for its class, or steps or time are over.
    pub fn run(
        self,
        data: &Data,
        survey: &Survey,
        printer: &Printer,
        interrupt: &Interrupt,
    ) -> Outcome<Overfit> {
        let (batch, classes) = self.batch(data, survey)?;
        let clips = batch.len();
        let (job, strl) = (self.config.finetune()?, self.config.strl()?);
        let machine = Machine::start(self.config.run.device, self.config.run.threads)?;
        let feed = Feed::new(
            data.source(),
            batch,
            &self.config.reading,
            None,
            &machine,
            interrupt,
        )?;
        let batches: Vec<_> = feed
            .batches(clips)
            .collect::<Result<_, BoxError>>()
            .map_err(skeletonmae::Error::Data)?;
        let store = Store::new(SEED, DType::F32, &machine.device);
        let task = Task {
            layout: data.layout(),
            coordinates: data.coordinates(),
            frames: self.config.reading.frames,
            classes: data.classes().len(),
        };
        let model = Strl::new(&self.config.model.mae, strl, task, store.builder())?;
        let mut optimizer = Optimizer::new(job.engine.optimizer, store.parameters())?;

        // A wrong guess costs at least ln 2, so below ln 2 / n none of n can be wrong.
        let goal = std::f64::consts::LN_2 / clips as f64;
        let (mut losses, started) = (Vec::new(), Instant::now());
        let mut progress = printer.progress("learning one batch", (STEPS * clips) as u64);
        let mut watch = |step: &StepReport| {
            losses.push(step.loss);
            progress.advance(clips as u64);
            progress.note(format!("loss {:.3}", step.loss));
            let over =
                step.loss < goal || started.elapsed() > TIME || interrupt.received().is_some();
            if over {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let steps = (0..STEPS).map(|_| Ok(batches.clone()));
        let trained = finetune_epoch(
            &model,
            &job.engine,
            &mut optimizer,
            SEED,
            0,
            steps,
            &mut watch,
        );
        drop(progress);
        let finite = match (trained, interrupt.received()) {
            (Err(skeletonmae::Error::Stopped { .. }), Some(signal)) => {
                return Err(Failure::Interrupted {
                    signal,
                    message: "nothing was changed".to_owned(),
                });
            }
            (Ok(_) | Err(skeletonmae::Error::Stopped { .. }), _) => true,
            (Err(skeletonmae::Error::NonFinite { loss, .. }), _) => {
                losses.push(loss);
                false
            }
            (Err(error), _) => return Err(error.into()),
        };
        let last_loss = losses.last().copied().unwrap_or(f64::NAN);
        Ok(Overfit {
            settings: self.settings,
            split: self.split,
            clips,
            classes,
            steps: losses.len(),
            most_steps: STEPS,
            first_loss: losses.first().copied().unwrap_or(f64::NAN),
            last_loss,
            goal,
            fits: finite && last_loss < goal,
        })
    }

    /// Readable labelled clips, of each class one before any has two, and the number of their classes.
    fn batch(&self, data: &Data, survey: &Survey) -> Outcome<(Vec<u32>, usize)> {
        let labels = data.labels();
        let mut of_class: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for place in shuffled(SEED, 0, self.clips.len()) {
            let clip = self.clips[place];
            let seen = survey.clips[clip as usize].present > 0;
            if let Some(label) = labels[clip as usize].filter(|_| seen) {
                of_class.entry(label).or_default().push(clip);
            }
        }
        let rounds = of_class.values().map(Vec::len).max().unwrap_or(0);
        let in_turn = (0..rounds).flat_map(|round| {
            of_class
                .values()
                .filter_map(move |clips| clips.get(round).copied())
        });
        let mut batch: Vec<u32> = in_turn.take(CLIPS).collect();
        if batch.len() < 2 {
            let message =
                "--overfit: expected at least two labelled clips with a present joint, found fewer";
            return Err(Failure::error(message)
                .hint("leave --overfit out, or name a split with labels by --split-train"));
        }
        let classes = of_class.len().min(batch.len());
        batch.sort_unstable();
        Ok((batch, classes))
    }
}

/// `preset quick`, or a file's name.
fn source(typed: &SettingsArgs) -> String {
    match (&typed.preset, &typed.config) {
        (Some(name), _) => format!("preset {name}"),
        (None, Some(path)) => path.display().to_string(),
        (None, None) => String::new(),
    }
}
