//! `ssl doctor`

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use skeleton_data::ClipSource;
use skeleton_data::augment::Augment;
use skeleton_data::health::{Catalogue, Health, examine, usual_pairs};
use skeleton_data::reading::Reading;
use skeleton_data::survey::Survey;
use skeleton_graph::random::shuffled;
use skeletonmae::train::ranks::Alone;
use skeletonmae::train::{
    BoxError, Decay, Guard, Observer, Optimizer, Pass, Schedule, StepReport, run_epoch,
};
use strl::Finetuning;

use crate::args::{DoctorArgs, SettingsArgs};
use crate::checkpoint::Kind;
use crate::config::{Config, PRESETS};
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::models::classifier;
use crate::printer::{Printer, Progress};
use crate::report::{Asked, Diagnosis, Overfit, count};
use crate::signal::Interrupt;
use crate::train::Setup;

/// Looks for what would make training fail, or its results lie.
pub fn run(args: &DoctorArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let computes = args.machine.device.is_some() || args.machine.precision.is_some();
    if computes && !args.overfit.overfit {
        let message = "--device and --precision are of --overfit, which trains";
        return Err(Failure::usage(message).hint("add --overfit, or leave them out"));
    }
    let data = Data::open(Some(&args.cache))?;
    let cache = data.cache();
    let pairs = match (&args.split_train, &args.split_test) {
        (Some(train), Some(test)) => {
            // An unknown name is refused before anything slow starts.
            cache.split(train)?;
            cache.split(test)?;
            vec![(train.clone(), test.clone())]
        }
        _ => usual_pairs(cache.splits().map(|(name, _)| name)),
    };
    let trial = match args.overfit.overfit {
        true => Some(Trial::new(
            args,
            &data,
            pairs.first().map(|(train, _)| train.as_str()),
            printer,
        )?),
        false => None,
    };
    let reading = trial.as_ref().map_or_else(Reading::default, Trial::reading);
    let (threads, threshold) = (args.machine.threads, reading.score_threshold);
    let survey = super::survey(cache, threads, threshold, printer, interrupt)?;
    let catalogue = Catalogue {
        reading,
        ..Catalogue::of(cache)
    };
    let health: Health = examine(cache, &survey, &catalogue, &pairs)?;
    let learnt = trial
        .map(|trial| trial.run(&data, &survey, printer, interrupt))
        .transpose()?;
    let asked = asks(&data)?;
    let diagnosis = Diagnosis::new(cache, &health, learnt, usize::from(args.show)).asking(asked);
    printer.report(args.json, &diagnosis, Diagnosis::text)?;
    match diagnosis.errors() {
        0 => Ok(()),
        n => Err(Failure::error(format!(
            "{}: {} that {} training fail or results lie",
            args.cache.display(),
            count(n, "finding"),
            if n == 1 { "makes" } else { "make" }
        ))
        .hint("each finding above says what to do about it")),
    }
}

/// What these clips ask to change in the preset default. Turns and tilts are those measured between two views of NW-UCLA (the book,
/// "What helps"); frames and people follow from the counts.
fn asks(data: &Data) -> Outcome<Vec<Asked>> {
    let preset = &PRESETS[0];
    let reading = Config::from_toml(preset.text, preset.name)?.reading;
    let samples = || (0..data.len()).map(|clip| data.sample(clip));
    let mut asked = Vec::new();
    let mut lengths: Vec<usize> = samples().map(|sample| sample.frames).collect();
    lengths.sort_unstable();
    let middle = lengths.get(lengths.len() / 2).copied().unwrap_or_default();
    let half = reading.frames / 2;
    if middle > 0 && middle <= half + half / 4 {
        asked.push(Asked {
            set: vec![format!("reading.frames={half}")],
            why: format!("half of the clips have at most {middle} frames: {half} keep what {} do, in half of the time", reading.frames),
        });
    } else if middle > 4 * reading.frames {
        asked.push(Asked {
            set: vec![format!("reading.frames={}", 2 * reading.frames)],
            why: format!(
                "half of the clips have {middle} frames or more, of which {} are read",
                reading.frames
            ),
        });
    }
    let cameras: BTreeSet<u32> = samples().filter_map(|sample| sample.camera).collect();
    if data.coordinates() == 3 && cameras.len() > 1 {
        asked.push(Asked {
            set: ["pretrain", "finetune"]
                .iter()
                .flat_map(|job| ["turn=3.5", "tilt=1.0"].map(|change| format!("{job}.augment.{change}")))
                .collect(),
            why: format!("they are from {} cameras: turned further and tilted, clips of one are more like those of another", cameras.len()),
        });
    }
    let people = samples()
        .map(|sample| sample.persons)
        .max()
        .unwrap_or_default();
    if 2 * data.crowded(&data.all(), reading.persons) > data.len() {
        asked.push(Asked {
            set: vec![format!("reading.persons={}", people.min(8))],
            why: format!("most clips show more than {} people", reading.persons),
        });
    }
    Ok(asked)
}

// Whether a classifier can learn one small batch by heart: if not, training on all of it won't work either.

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
    pub fn new(
        args: &DoctorArgs,
        data: &Data,
        split: Option<&str>,
        printer: &Printer,
    ) -> Outcome<Trial> {
        // `jhmdb` is the preset of `jhmdb14`.
        let own = PRESETS
            .iter()
            .find(|preset| data.dataset().starts_with(preset.name));
        let typed = args
            .overfit
            .settings(own.map_or("quick", |preset| preset.name));
        let mut config = Config::resolve(&typed, Kind::Finetune, |run| {
            run.on(args.machine, printer);
        })?;
        config.run.seed = SEED;
        // What keeps a model from learning by heart, which is what is asked of it here.
        if let Some(job) = &mut config.finetune {
            job.engine.label_smoothing = 0.0;
            job.engine.guard = Guard::default();
            job.engine.schedule = Schedule {
                warmup_epochs: 0,
                decay: Decay::Constant,
            };
            job.augment = Augment::default();
        }
        if let Some(strl) = &mut config.model.strl {
            strl.dropout = 0.0;
        }
        // What lacks is said before all clips are read.
        config.finetune()?;
        config.strl()?;
        let clips = split.map_or_else(|| Ok(data.all()), |name| data.split(name))?;
        Ok(Trial {
            config,
            settings: source(&typed),
            split: split.map(str::to_owned),
            clips,
        })
    }

    /// How clips are read.
    pub fn reading(&self) -> Reading {
        self.config.reading.clone()
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
        // A wrong guess costs at least ln 2, so below ln 2 / n none of n can be wrong.
        let goal = std::f64::consts::LN_2 / clips as f64;
        let mut watch = Watch {
            losses: Vec::new(),
            goal,
            started: Instant::now(),
            progress: printer.progress("learning one batch", (STEPS * clips) as u64),
            interrupt,
        };
        let finite = self.train(data, batch, &mut watch)?;
        let last_loss = watch.losses.last().copied().unwrap_or(f64::NAN);
        Ok(Overfit {
            settings: self.settings,
            split: self.split,
            clips,
            classes,
            steps: watch.losses.len(),
            most_steps: STEPS,
            first_loss: watch.losses.first().copied().unwrap_or(f64::NAN),
            last_loss,
            goal,
            fits: finite && last_loss < goal,
        })
    }

    /// Makes a new model and trains it on the batch again and again; says whether the loss stayed finite.
    fn train(&self, data: &Data, batch: Vec<u32>, watch: &mut Watch<'_>) -> Outcome<bool> {
        let (config, clips) = (&self.config, batch.len());
        let (kind, interrupt) = (Kind::Finetune, watch.interrupt);
        let setup = Setup::new(kind, config, data.clone(), batch, interrupt)?;
        let own = &config.finetune()?.engine;
        // The one step of an epoch of this batch, as training makes it.
        let step: Vec<Vec<_>> = setup
            .train
            .steps(&Alone, (SEED, 0, 0), (clips, own.micro_batch))
            .collect::<Result<_, BoxError>>()
            .map_err(skeletonmae::Error::Data)?;
        let model = classifier(config, data, &setup.store, &setup.feeds.machine)?;
        let mut optimizer = Optimizer::new(own.optimizer, setup.store.parameters())?;
        let steps = step.into_iter().cycle().take(STEPS).map(Ok);
        let (pass, learner) = (
            Pass::new(&setup.store, SEED, 0),
            Finetuning::new(model, own),
        );
        let settings = &setup.settings;
        match run_epoch(&learner, &pass, settings, &mut optimizer, steps, watch) {
            Ok(_) => Ok(true),
            Err(skeletonmae::Error::Stopped { .. }) => {
                watch.interrupt.check(|| "nothing was changed")?;
                Ok(true)
            }
            Err(skeletonmae::Error::NonFinite { value, .. }) => {
                watch.losses.push(value);
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
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

/// Remembers the losses, and ends the trial when it is decided.
struct Watch<'a> {
    losses: Vec<f64>,
    goal: f64,
    started: Instant,
    progress: Progress,
    interrupt: &'a Interrupt,
}

impl Observer for Watch<'_> {
    fn step(&mut self, step: &StepReport<'_>) -> ControlFlow<()> {
        self.losses.push(step.loss);
        self.progress.advance(step.clips as u64);
        self.progress.note(format!("loss {:.3}", step.loss));
        let over = self.started.elapsed() > TIME || self.interrupt.received().is_some();
        match over || step.loss < self.goal {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
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
