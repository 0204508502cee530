//! From what was typed to the last epoch: what a training is set up with is checked before anything is written.

use std::path::Path;
use std::time::Duration;

use candle_core::DType;
use skeleton_data::reading::Reading;
use skeletonmae::Store;
use skeletonmae::train::ranks::Ranks;
use skeletonmae::train::{
    EpochReport, Learner, Observer, Optimizer, Pass, Progress, TrainConfig, plan, run_epoch,
};

use super::{Metrics, Session};
use crate::args::{RunArgs, SettingsArgs};
use crate::checkpoint::{Kind, Meta, Origin};
use crate::config::{Config, PRESETS, Preset, RunSection, also};
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::feed::{Feed, Feeds, steps};
use crate::fits;
use crate::machine::Machine;
use crate::models::{Opened, meta};
use crate::outputs::beside;
use crate::printer::Printer;
use crate::ranks::world;
use crate::report::{count, with_title};
use crate::run::{Info, Labels, Resumed, Run, epochs, series};
use crate::signal::Interrupt;
use crate::tensorboard::Events;

/// What is one training's own.
pub trait Task: Sized {
    /// Which training it is.
    const KIND: Kind;
    /// The same in a sentence: `pre-training`.
    const DOING: &str;
    /// What learns.
    type Learner: Learner;
    /// What an epoch measures.
    type Measured: Metrics;

    /// Chooses the clips, and builds the model.
    fn set_up<'a>(
        config: &'a Config,
        printer: &Printer,
        interrupt: &'a Interrupt,
    ) -> Outcome<Training<'a, Self>>;

    /// What learns.
    fn learner(&self) -> &Self::Learner;

    /// What an epoch reached.
    fn measure(training: &Training<'_, Self>) -> Outcome<Self::Measured>;

    /// After the last epoch, measures once what is measured once.
    fn finish(training: &Training<'_, Self>, run: &Run, printer: &Printer) -> Outcome;

    /// What is said of the clips beside their number: `, 10 held out`.
    fn clips(&self, _data: &Data) -> String {
        String::new()
    }

    /// What is said of the model that is the start.
    fn start(&self, _data: &Data) -> Option<String> {
        None
    }

    /// The checkpoint whose encoder is the start.
    fn origin(&self) -> Option<&Origin> {
        None
    }

    /// The labels that are known, where it isn't all.
    fn labels(&self) -> Option<&Labels> {
        None
    }
}

/// What a training needs before there is a model: data, machine, feeds.
pub struct Setup<'a> {
    pub config: &'a Config,
    pub settings: TrainConfig,
    /// The largest of its steps.
    pub step: fits::Step<'a>,
    pub data: Data,
    pub feeds: Feeds<'a>,
    /// The clips trained on.
    pub train: Feed,
    /// More clips, of skeletons of their own.
    pub also: Vec<AlsoSet>,
    /// Where the model's tensors will lie.
    pub store: Store,
}

impl<'a> Setup<'a> {
    /// For training on `clips`. A step that doesn't fit into memory is refused.
    pub fn new(
        kind: Kind,
        config: &'a Config,
        data: Data,
        clips: Vec<u32>,
        interrupt: &'a Interrupt,
    ) -> Outcome<Setup<'a>> {
        let (settings, augment, updates) = config.training(kind)?;
        let settings = settings.with_updates(updates, clips.len());
        let RunSection {
            device,
            precision,
            threads,
            ..
        } = config.run;
        let machine = Machine::start(device, precision, threads)?;
        let at_once = settings.micro_batch.min(clips.len());
        let pretrain = config.pretrain.as_ref().filter(|_| kind == Kind::Pretrain);
        let twice = pretrain.is_some_and(|job| job.engine.objective.reads_twice());
        let reads = 1 + usize::from(twice);
        let step = fits::Step {
            setting: match kind {
                Kind::Pretrain => "pretrain.micro_batch",
                Kind::Finetune => "finetune.micro_batch",
            },
            clips: at_once,
            tracks: reads * data.most_tracks(&clips, at_once, config.reading.persons),
            frames: config.reading.frames,
            joints: data.layout().len(),
            mae: &config.model.mae,
            strl: config.model.strl.as_ref(),
            ops: fits::Ops::of(&machine),
        };
        step.check(&machine)?;
        let views = match kind {
            // Several views are for class probabilities, of which there are none.
            Kind::Pretrain => 1,
            Kind::Finetune => config.reading.clips,
        };
        let feeds = Feeds {
            source: data.source(),
            reading: Reading {
                clips: views,
                ..config.reading.clone()
            },
            machine,
            interrupt,
        };
        let train = feeds.of(clips, Some(augment))?;
        Ok(Setup {
            config,
            settings,
            step,
            train: if twice { train.twice() } else { train },
            also: Vec::new(),
            store: Store::new(config.run.seed, DType::F32, &feeds.machine.device),
            data,
            feeds,
        })
    }

    /// Takes more clips in for pre-training: `CACHE.h5`, all of it, or `CACHE.h5:SPLIT`.
    pub fn with_also(mut self, printer: &Printer) -> Outcome<Self> {
        let Config { reading, run, .. } = self.config;
        let augment = &self.config.pretrain()?.augment;
        let twice = self.config.pretrain()?.engine.objective.reads_twice();
        for typed in &run.also {
            let (path, split) = also(typed);
            let data = Data::open(Some(Path::new(path)))?;
            let (ours, theirs) = (&self.data, &data);
            if (ours.coordinates(), ours.units()) != (theirs.coordinates(), theirs.units()) {
                let of = |data: &Data| {
                    format!(
                        "{} coordinates in {}",
                        data.coordinates(),
                        data.units().name()
                    )
                };
                return Err(Failure::error(format!(
                    "{path}: expected {}, as {} has, found {}",
                    of(ours),
                    ours.dataset(),
                    of(theirs)
                ))
                .hint(
                    "one encoder learns from clips whose numbers mean the same; joints may differ",
                ));
            }
            let clips = data.shown(split, reading, run.skip_empty, printer)?;
            let feeds = Feeds {
                source: data.source(),
                reading: self.feeds.reading.clone(),
                machine: self.feeds.machine.clone(),
                interrupt: self.feeds.interrupt,
            };
            let at_once = self.settings.micro_batch.min(clips.len());
            let reads = 1 + usize::from(twice);
            let step = fits::Step {
                clips: at_once,
                tracks: reads * data.most_tracks(&clips, at_once, reading.persons),
                joints: data.layout().len(),
                ..self.step
            };
            step.check(&self.feeds.machine)?;
            let train = feeds.of(clips, Some(augment))?;
            let clips = count(train.len(), "clip");
            printer.say(format!(
                "also {} {split}: {clips}, layout {}",
                data.dataset(),
                data.layout().name()
            ));
            let train = if twice { train.twice() } else { train };
            self.also.push(AlsoSet { data, train });
        }
        Ok(self)
    }

    /// Clips of an epoch.
    pub fn clips(&self) -> usize {
        let also = self.also.iter().map(|set| set.train.len());
        self.train.len() + also.sum::<usize>()
    }

    /// A split that is measured on, where there is one, with its name.
    pub fn measured(
        &self,
        split: &Option<String>,
        printer: &Printer,
    ) -> Outcome<Option<(Feed, String)>> {
        let Some(name) = split else { return Ok(None) };
        let Config { reading, run, .. } = self.config;
        let clips = self.data.shown(name, reading, run.skip_empty, printer)?;
        Ok(Some((self.feeds.of(clips, None)?, name.clone())))
    }

    /// Micro-batches of the step that has most: so many ranks can share a step.
    fn most_ranks(&self) -> usize {
        let (batch, micro_batch) = (self.settings.batch, self.settings.micro_batch);
        let feeds = [&self.train].into_iter();
        let feeds = feeds.chain(self.also.iter().map(|set| &set.train));
        let steps = feeds.flat_map(|feed| plan(feed.clips(), batch, micro_batch));
        steps.map(|step| step.len()).max().unwrap_or(0)
    }

    /// Trains the rest of an epoch.
    pub fn epoch(
        &self,
        learner: &impl Learner,
        optimizer: &mut Optimizer,
        (epoch, from): (usize, Progress),
        observer: &mut dyn Observer,
    ) -> skeletonmae::Result<EpochReport> {
        let (seed, settings) = (self.config.run.seed, &self.settings);
        let (batch, micro_batch) = (settings.batch, settings.micro_batch);
        let feeds: Vec<&Feed> = [&self.train]
            .into_iter()
            .chain(self.also.iter().map(|set| &set.train))
            .collect();
        let place = (seed, epoch, from.steps);
        let steps = steps(&feeds, world(), place, (batch, micro_batch));
        let pass = Pass {
            from,
            ranks: world(),
            ..Pass::new(&self.store, seed, epoch)
        };
        run_epoch(learner, &pass, settings, optimizer, steps, observer)
    }
}

/// More clips to pre-train on.
pub struct AlsoSet {
    pub data: Data,
    pub train: Feed,
}

/// A training that is ready.
pub struct Training<'a, T> {
    pub setup: Setup<'a>,
    pub optimizer: Optimizer,
    pub task: T,
}

impl<T: Task> Training<'_, T> {
    /// What a checkpoint after `epochs` epochs says about itself.
    pub fn meta(&self, epochs: usize) -> Outcome<Meta> {
        let Setup { config, data, .. } = &self.setup;
        let mut meta = meta(T::KIND, config, data, epochs, self.task.origin())?;
        let also = self.setup.also.iter();
        meta.also = also.map(|set| set.data.fingerprint()).collect();
        Ok(meta)
    }

    /// The circumstances it is recorded with.
    pub fn info(&self) -> Info {
        let (setup, task) = (&self.setup, &self.task);
        let (seed, data) = (setup.config.run.seed, setup.data.fingerprint());
        let mut info = Info::new(T::KIND, seed, data, &setup.feeds.machine, task.origin());
        (info.clips, info.labels) = (Some(setup.clips()), task.labels().cloned());
        (info.epochs, info.parameters) = (Some(setup.settings.epochs), Some(self.parameters()));
        info
    }

    /// Numbers of the model that training changes.
    fn parameters(&self) -> usize {
        let parameters = self.setup.store.parameters();
        parameters.iter().map(|(_, var)| var.elem_count()).sum()
    }

    /// Says what is about to happen.
    fn announce(&self, printer: &Printer) -> Outcome {
        let (data, parameters) = (&self.setup.data, self.parameters());
        printer.say(format!(
            "{} on {} {}: {}{}, {parameters} parameters, {}",
            T::DOING,
            data.dataset(),
            self.setup.config.split(T::KIND)?,
            count(self.setup.train.len(), "clip"),
            self.task.clips(data),
            count(self.setup.feeds.machine.threads, "thread"),
        ));
        if let Some(start) = self.task.start(data) {
            printer.say(start);
        }
        let persons = self.setup.config.reading.persons;
        let crowded = data.crowded(self.setup.train.clips(), persons);
        if crowded > 0 {
            let clips = count(crowded, "clip");
            printer.warn(format!(
                "{clips} with more people than reading.persons = {persons}: reading.people says which are read, `ssl doctor` what is lost"
            ));
        }
        let (batch, micro_batch) = (self.setup.settings.batch, self.setup.settings.micro_batch);
        let most = self.setup.most_ranks();
        self.announce_ranks(most, printer);
        // BatchNorm's statistics depend on it, so the reader of a log should know.
        if micro_batch < batch {
            printer.say(format!(
                "an update takes {batch} clips, BatchNorm sees micro-batches of {micro_batch}, which up to {} can share",
                count(most, "rank")
            ));
        }
        Ok(())
    }
}

impl<T: Task> Training<'_, T> {
    /// Says who shares the work; `most` ranks can.
    fn announce_ranks(&self, most: usize, printer: &Printer) {
        let (world, n) = (world(), world().size());
        if n == 1 {
            return;
        }
        let hosts = count(world.hosts(), "host");
        printer.say(format!("{} on {hosts}", count(n, "rank")));
        if n > most {
            printer.warn(format!(
                "{} of {n} idle in each step, which has up to {most}: smaller micro-batches could be shared by more, but BatchNorm sees them, so that it is another training",
                count(n - most, "rank")
            ));
        }
        if let Some(warning) = world.processors_differ() {
            printer.warn(warning);
        }
    }

    /// Refuses ranks that would train on something else than rank 0.
    fn agree(&self) -> Outcome {
        let also = self.setup.also.iter().map(|set| set.data.fingerprint());
        let data = [self.setup.data.fingerprint()].into_iter().chain(also);
        let data = data.map(|data| format!("{} {}", data.dataset, data.digest));
        world().same(
            "data (cache and its digest)",
            &data.collect::<Vec<_>>().join(", "),
        )?;
        let encoder = self.task.origin().map_or("none", |origin| &origin.sha256);
        world().same("encoder (SHA-256)", encoder)
    }
}

/// The settings of a run and, in rank 0, the run that goes on; all ranks have rank 0's.
fn settled(
    (typed, args): (&SettingsArgs, &RunArgs),
    kind: Kind,
    encoder: Option<&Path>,
    flags: impl FnOnce(&mut RunSection),
    printer: &Printer,
) -> Outcome<(Config, Option<Resumed>)> {
    let mut resumed = None;
    let resolve = || -> Outcome<Config> {
        resumed = Resumed::find(args, kind, printer)?;
        let settings = settings(typed, resumed.as_ref(), encoder, printer)?;
        let config = Config::resolve(&settings, kind, |run| {
            run.preset = settings.preset.clone().or(run.preset.take());
            run.skip_empty |= args.skip_empty;
            run.data = args.data.clone().or(run.data.take());
            run.seed = args.seed.unwrap_or(run.seed);
            run.on(args.machine, printer);
            flags(run);
        })?;
        if resumed.is_none() {
            let inputs = config.run.data.iter().chain(&config.run.encoder);
            beside(&args.out, inputs)?;
            Run::check(&args.out, args.overwrite)?;
        }
        Ok(config)
    };
    if world().size() == 1 {
        return Ok((resolve()?, resumed));
    }
    let mut own = None;
    let settings = world().of_root(|| {
        let config = own.insert(resolve()?);
        Ok(config.to_toml()?.into_bytes())
    })?;
    let config = match own {
        Some(config) => config,
        None => Config::from_toml(&String::from_utf8_lossy(&settings), "rank 0")?,
    };
    Ok((config, resumed))
}

/// Trains in a run folder. `flags` puts the command's own flags into the settings, `next` is the command to type then.
pub fn run<T: Task>(
    (typed, args): (&SettingsArgs, &RunArgs),
    encoder: Option<&Path>,
    flags: impl FnOnce(&mut RunSection),
    next: impl FnOnce(&Config) -> String,
    printer: &Printer,
    interrupt: &Interrupt,
) -> Outcome {
    let (config, resumed) = settled((typed, args), T::KIND, encoder, flags, printer)?;
    if let Some(data) = config.run.data.as_ref().filter(|path| !path.exists())
        && resumed.is_some()
    {
        let (data, run) = (data.display(), args.out.display());
        return Err(Failure::error(format!(
            "{data}: expected the cache that {run} was trained on, found no file"
        ))
        .hint("say where it is now: --resume --data CACHE.h5"));
    }
    let mut training = T::set_up(&config, printer, interrupt)?;
    training.agree()?;
    let (info, now) = (training.info(), |epochs| training.meta(epochs));
    let (mut run, state) = match world().is_root() {
        true => Run::open(resumed, args, &config, &info, now, printer)?,
        false => (Run::elsewhere(&args.out), None),
    };
    training.announce(printer)?;
    let mut events = match run.is_ours() {
        true => Events::of_run(&args.out, args.tensorboard, printer)?,
        false => Events::elsewhere(),
    };
    let mut session = Session {
        run: &mut run,
        events: &mut events,
        printer,
        interrupt,
        epochs: training.setup.settings.epochs,
        clips: training.setup.clips(),
        save_every: Duration::from_secs(args.save_every),
    };
    let trained = session.train(&mut training, state);
    trained.map_err(|failure| match failure.is_out_of_memory() {
        true => training
            .setup
            .step
            .out_of_memory(&training.setup.feeds.machine),
        false => failure,
    })?;
    T::finish(&training, &run, printer)?;
    events.finish(&args.out, printer);
    let curves = with_title(&series(&epochs(run.noted())), printer.unicode());
    curves.iter().for_each(|line| printer.say(line));
    printer.document(&format!("checkpoint: {}", run.checkpoint_path().display()))?;
    printer.document(&format!("next: {}", next(&config)))
}

/// The settings as typed; where none are, those of the run that goes on, else of the run that `encoder` is of.
fn settings(
    typed: &SettingsArgs,
    resumed: Option<&Resumed>,
    encoder: Option<&Path>,
    printer: &Printer,
) -> Outcome<SettingsArgs> {
    let mut settings = typed.clone();
    if settings.preset.is_some() || settings.config.is_some() {
        return Ok(settings);
    }
    match (resumed, encoder) {
        (Some(resumed), _) => settings.config = Some(resumed.config()),
        (None, Some(path)) => {
            let opened = Opened::read(path, Kind::Pretrain)?;
            let path = opened.origin.path.display();
            let Some(preset) = &opened.config.run.preset else {
                let message = format!(
                    "expected --preset NAME or --config FILE: {path} doesn't say which preset it was made with"
                );
                return Err(Failure::usage(message).hint("`ssl preset` lists the presets"));
            };
            let text = opened.config.beside(&Preset::find(preset)?)?;
            printer.say(format!(
                "settings: preset {preset}, with reading and encoder of {path}"
            ));
            settings.preset = Some(preset.clone());
            settings.text = Some(text);
        }
        (None, None) => {
            let usual = PRESETS[0].name;
            printer.say(format!(
                "settings: preset {usual} (`ssl preset` lists the others)"
            ));
            settings.preset = Some(usual.to_owned());
        }
    }
    Ok(settings)
}
