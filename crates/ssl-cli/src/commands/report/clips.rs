//! The clips that runs are measured on, seen again by their models: guesses, representations, movement.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use candle_core::DType;
use rand::RngCore as _;
use skeleton_data::ClipSource;
use skeleton_data::draw::{Axis, Camera, Scene, Skeleton};
use skeleton_data::reading::Reading;
use skeleton_graph::random::{Key, Purpose, stream};
use skeletonmae::Store;
use strl::probe::{Features, represent};

use super::folder::RunFolder;
use super::reconstructed;
use crate::args::ReportArgs;
use crate::checkpoint::Kind;
use crate::commands::labelled::evaluation;
use crate::data::Data;
use crate::failure::{Failure, Outcome};
use crate::feed::{Feed, Feeds};
use crate::machine::Machine;
use crate::models::{Opened, pretrained};
use crate::page::facts::{ClipSet, Guesses, Part, PlaneFacts, Reconstructed, RunFacts};
use crate::page::{NUMBERS, part};
use crate::printer::Printer;
use crate::report::{Evaluation, ReconstructionReport};
use crate::run::RECONSTRUCTION;
use crate::signal::Interrupt;
use crate::text::read_json;

/// What a run's models make of its clips.
pub struct RunClips {
    /// What the run measured, or what was measured now where another split was asked for.
    pub measured: Option<Evaluation>,
    pub guesses: Part<Guesses>,
    pub planes: Part<Vec<PlaneFacts>>,
    pub reconstruction: Part<Reconstructed>,
}

/// A set of the report with where its clips are.
struct Seen {
    set: ClipSet,
    data: Data,
    /// (n), places in the cache.
    clips: Vec<u32>,
}

/// What all runs of a report are measured with.
pub struct Measuring<'a> {
    args: &'a ReportArgs,
    printer: &'a Printer,
    interrupt: &'a Interrupt,
    machine: Machine,
    seen: Vec<Seen>,
}

/// A run's split with the feed that reads it.
struct Split<'a> {
    feeds: Feeds<'a>,
    feed: Feed,
    /// The set's place in the report.
    set: usize,
    data: Data,
    name: String,
}

impl<'a> Measuring<'a> {
    /// Starts the machine.
    pub fn new(
        args: &'a ReportArgs,
        printer: &'a Printer,
        interrupt: &'a Interrupt,
    ) -> Outcome<Measuring<'a>> {
        Ok(Measuring {
            args,
            printer,
            interrupt,
            machine: args.compute.machine.start(printer)?,
            seen: Vec::new(),
        })
    }

    /// A run's clips; what can't be had says why.
    pub fn run(&mut self, folder: &RunFolder) -> Outcome<RunClips> {
        let asked = self.args.split.as_ref();
        let recorded = folder.record.test.clone();
        let recorded = recorded.filter(|test| asked.is_none_or(|split| *split == test.split));
        let seen = match folder.kind {
            Kind::Finetune => self.finetuned(folder, recorded.clone()),
            Kind::Pretrain => self.pretrained(folder),
        };
        Ok(match part(seen)? {
            Part::There(clips) => clips,
            Part::Missing { why, hint } => RunClips::nothing(recorded, why, hint),
        })
    }

    /// Of a fine-tuning; an error where its clips can't be looked at.
    fn finetuned(&mut self, folder: &RunFolder, recorded: Option<Evaluation>) -> Outcome<RunClips> {
        let opened = Opened::read(&folder.record.folder, Kind::Finetune)?;
        let split = self.split(folder, &opened)?;
        let (scores, views) = self.scores(&opened, &split)?;
        let (classes, data) = (&opened.checkpoint.meta.classes, split.data.fingerprint());
        let now = part(evaluation(&scores, views, &split.name, data, classes))?;
        let mut guesses = Guesses::new(split.set, &scores.labels, &scores.probabilities);
        guesses.note = note(folder, &split, recorded.as_ref(), now.there());
        let encoder = part(self.encoder(folder))?;
        let pretrained = encoder.there().and_then(Option::as_ref);
        let planes = part(self.planes(folder, Some(&opened), pretrained, &split))?;
        let reconstruction = match encoder {
            Part::There(Some(encoder)) => part(self.reconstruction(&encoder, None, &split))?,
            Part::There(None) => Part::Missing {
                why: "the run started from scratch: nothing was pre-trained".to_owned(),
                hint: None,
            },
            Part::Missing { why, hint } => Part::Missing { why, hint },
        };
        let now = match now {
            Part::There(now) => Some(now),
            Part::Missing { .. } => None,
        };
        Ok(RunClips {
            measured: recorded.or(now),
            guesses: Part::There(guesses),
            planes,
            reconstruction,
        })
    }

    /// Of a pre-training; an error where its clips can't be looked at.
    fn pretrained(&mut self, folder: &RunFolder) -> Outcome<RunClips> {
        let opened = Opened::read(&folder.record.folder, Kind::Pretrain)?;
        let split = self.split(folder, &opened)?;
        let parts = folder.record.reconstruction.clone();
        Ok(RunClips {
            measured: None,
            guesses: Part::missing("a pre-training guesses nothing", "ssl finetune"),
            planes: part(self.planes(folder, None, Some(&opened), &split))?,
            reconstruction: part(self.reconstruction(&opened, parts, &split))?,
        })
    }

    /// The clips to look at: those asked for, else those that the run was measured on.
    fn split(&mut self, folder: &RunFolder, opened: &Opened) -> Outcome<Split<'a>> {
        let run = &folder.config.run;
        let again = |what: &str| format!("ssl report {} {what} -o FILE.html", folder.name());
        let path = self.args.data.clone().or_else(|| run.data.clone());
        let path = path.filter(|path| path.exists()).ok_or_else(|| {
            let cache = run
                .data
                .as_ref()
                .map_or(String::new(), |path| format!(" {}", path.display()));
            Failure::error(format!("the run's cache{cache} is not there any more"))
                .hint(again("--data CACHE.h5"))
        })?;
        let name = self.args.split.clone().or_else(|| match folder.kind {
            Kind::Finetune => run.test.clone(),
            Kind::Pretrain => run.val.clone().or_else(|| run.split.clone()),
        });
        let name = name.ok_or_else(|| {
            Failure::error("the run names no split to look at").hint(again("--split NAME"))
        })?;
        let data = opened.data(&path)?;
        let clips = data.split(&name)?;
        let feeds = self.feeds(&data, opened.reading(None));
        let (shown, _) = feeds.shown(clips, self.printer)?;
        let feed = feeds.of(shown, None)?;
        let set = self.set(&data, feed.clips(), &name);
        Ok(Split {
            feeds,
            feed,
            set,
            data,
            name,
        })
    }

    fn feeds(&self, data: &Data, reading: Reading) -> Feeds<'a> {
        Feeds {
            source: data.source(),
            reading,
            machine: self.machine.clone(),
            interrupt: self.interrupt,
        }
    }

    /// The place of a set, which is new where no run before had it.
    fn set(&mut self, data: &Data, clips: &[u32], split: &str) -> usize {
        let is = |seen: &Seen| {
            seen.set.digest == data.fingerprint().digest
                && seen.set.split == split
                && seen.clips == clips
        };
        if let Some(at) = self.seen.iter().position(is) {
            return at;
        }
        let labels = data.labels();
        let labels = clips
            .iter()
            .map(|&clip| labels[clip as usize].map_or(-1, i64::from));
        let fingerprint = data.fingerprint();
        self.seen.push(Seen {
            set: ClipSet {
                dataset: fingerprint.dataset,
                split: split.to_owned(),
                digest: fingerprint.digest,
                classes: data.classes().to_vec(),
                ids: data.ids(clips),
                labels: labels.collect(),
                skeleton: Skeleton::of(data.layout()),
                motion: BTreeMap::new(),
            },
            data: data.clone(),
            clips: clips.to_vec(),
        });
        self.seen.len() - 1
    }

    fn scores(&self, opened: &Opened, split: &Split<'_>) -> Outcome<(strl::Scores, usize)> {
        let model = opened.classifier(&self.machine)?;
        let batch = usize::from(self.args.compute.batch);
        let batches = split
            .feed
            .watched_batches(batch, self.printer, "classifying");
        Ok((split.feed.scores(&model, batches)?, split.feed.views()))
    }

    /// The pre-trained model that a fine-tuning started from; none from scratch.
    fn encoder(&self, folder: &RunFolder) -> Outcome<Option<Opened>> {
        let Some(encoder) = &folder.record.info.encoder else {
            return Ok(None);
        };
        let path = self.args.encoder.clone();
        let path = path.unwrap_or_else(|| PathBuf::from(&encoder.path));
        let hint = format!("ssl report {} --encoder RUN -o FILE.html", folder.name());
        let opened = Opened::read(&path, Kind::Pretrain).map_err(|failure| {
            Failure::error(format!("its encoder can't be read: {}", failure.message())).hint(&hint)
        })?;
        if opened.origin.sha256 != encoder.sha256 {
            let message = format!(
                "{} is not the encoder that the run started from: it was trained again since, or is another",
                opened.origin.path.display()
            );
            return Err(Failure::error(message).hint(hint));
        }
        Ok(Some(opened))
    }

    /// Figure 4a: the same clips by the encoder before and after its pre-training, and by the classifier.
    fn planes(
        &self,
        folder: &RunFolder,
        classifier: Option<&Opened>,
        encoder: Option<&Opened>,
        split: &Split<'_>,
    ) -> Outcome<Vec<PlaneFacts>> {
        let (data, machine) = (&split.data, &self.machine);
        let reading = Reading {
            clips: 1,
            ..split.feeds.reading.clone()
        };
        let feed = self
            .feeds(data, reading)
            .of(split.feed.clips().to_vec(), None)?;
        let batch = usize::from(self.args.compute.batch);
        let batches = || feed.watched_batches(batch, self.printer, "representing");
        let mut planes = Vec::new();
        let mut add = |name: &str, features: &Features| {
            let rows: Vec<Vec<f32>> = (0..features.len())
                .map(|at| features.row(at).to_vec())
                .collect();
            planes.extend(PlaneFacts::new(split.set, name, &rows));
        };
        let config = encoder.map_or(&folder.config, |opened| &opened.config);
        let store = Store::new(config.run.seed, DType::F32, &machine.device);
        let input = (data.layout(), data.coordinates());
        let untrained = pretrained(config, input, &store, machine)?;
        add(
            "before pre-training: a random encoder",
            &represent(&untrained, batches())?,
        );
        if let Some(opened) = encoder {
            let (_store, model) = opened.pretrained(data.layout(), machine)?;
            add(
                "after pre-training: the encoder, frozen",
                &represent(&model, batches())?,
            );
        }
        if let Some(opened) = classifier {
            let model = opened.classifier(machine)?;
            let features = strl::probe::of_classifier(&model, batches())?;
            add("after fine-tuning: what the last layer sees", &features);
        }
        match planes.is_empty() {
            false => Ok(planes),
            true => Err(
                Failure::error("the clips' representations are all the same")
                    .hint("a split of two clips and more has a plane"),
            ),
        }
    }

    fn reconstruction(
        &self,
        encoder: &Opened,
        parts: Option<ReconstructionReport>,
        split: &Split<'_>,
    ) -> Outcome<Reconstructed> {
        // A fine-tuning's page shows what its encoder's own run measured, where that is still beside it.
        let parts = parts.or_else(|| {
            let beside = encoder.origin.path.with_file_name(RECONSTRUCTION);
            read_json(&beside).ok()
        });
        let few = spread(&self.seen[split.set].set, reconstructed::SHOWN);
        let clips: Vec<u32> = few.iter().map(|&at| split.feed.clips()[at]).collect();
        let feeds = self.feeds(&split.data, encoder.reading(Some(1)));
        reconstructed::read(encoder, parts, &feeds, &split.data, &clips)
    }

    /// The sets, with the movement of the clips to look at: each run's most confident mistakes and best clips, the rest a sample.
    pub fn sets(self, runs: &[RunFacts]) -> Outcome<Vec<ClipSet>> {
        let most = usize::from(self.args.clips);
        let (seen, printer) = (self.seen, self.printer);
        let mut sets = Vec::new();
        for (at, mut seen) in seen.into_iter().enumerate() {
            let guesses = runs.iter().filter_map(|run| run.guesses.as_ref()?.there());
            let guesses: Vec<&Guesses> = guesses.filter(|guesses| guesses.set == at).collect();
            let wanted = wanted(&seen.set, &guesses, most);
            let mut progress = printer.progress("drawing", wanted.len() as u64);
            for clip in wanted {
                let index = seen.clips[clip] as usize;
                let view = seen.data.clip(index)?;
                let up = Axis::usual(seen.data.units(), &view, seen.data.layout());
                let camera = Camera::new(up, view.coordinates)?;
                let scene = Scene::new(&view, seen.data.layout(), &camera)?;
                seen.set.motion.insert(clip, scene.motion(NUMBERS));
                progress.advance(1);
            }
            sets.push(seen.set);
        }
        Ok(sets)
    }
}

impl RunClips {
    /// Of a run whose clips can't be looked at.
    fn nothing(measured: Option<Evaluation>, why: String, hint: Option<String>) -> RunClips {
        let (why, hint) = (&why, &hint);
        fn missing<T>(why: &str, hint: &Option<String>) -> Part<T> {
            Part::Missing {
                why: why.to_owned(),
                hint: hint.clone(),
            }
        }
        RunClips {
            measured,
            guesses: missing(why, hint),
            planes: missing(why, hint),
            reconstruction: missing(why, hint),
        }
    }
}

/// Why what a model makes of its clips now is not what the run measured.
fn note(
    folder: &RunFolder,
    split: &Split<'_>,
    recorded: Option<&Evaluation>,
    now: Option<&Evaluation>,
) -> Option<String> {
    let (recorded, now) = (recorded?, now?);
    if recorded.digest != split.data.fingerprint().digest {
        return Some(format!(
            "The clips are of another cache than the run's (digest {:.12} in place of {:.12}): what is said of single clips need not \
             add up to what the run measured.",
            split.data.fingerprint().digest,
            folder.record.info.data.digest
        ));
    }
    let differ =
        |(a, b): (&Vec<u64>, &Vec<u64>)| a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).sum::<u64>();
    let moved: u64 = recorded
        .confusion
        .iter()
        .zip(&now.confusion)
        .map(differ)
        .sum();
    (moved > 0).then(|| {
        format!(
            "Measured again for this page, {} of {} clips fall into another class than when the run measured them: another processor's \
             sums differ in their last bits.",
            moved.div_ceil(2), now.n
        )
    })
}

/// The clips in a pseudo-random order that follows from their ids alone: a sample is the same for the same clips.
fn shuffled(set: &ClipSet) -> Vec<usize> {
    let key = |id: &String| stream(0, Purpose::Sample, 0, Key::Clip(id)).next_u64();
    let mut clips: Vec<usize> = (0..set.ids.len()).collect();
    clips.sort_by_cached_key(|&clip| (key(&set.ids[clip]), clip));
    clips
}

/// A few clips of as many classes.
fn spread(set: &ClipSet, most: usize) -> Vec<usize> {
    let (mut classes, mut first, mut others) = (BTreeSet::new(), Vec::new(), Vec::new());
    for clip in shuffled(set) {
        match classes.insert(set.labels[clip]) {
            true => first.push(clip),
            false => others.push(clip),
        }
    }
    first.into_iter().chain(others).take(most).collect()
}

/// Two fifths mistakes, a fifth best clips, shared by the runs; the rest a sample.
fn wanted(set: &ClipSet, guesses: &[&Guesses], most: usize) -> BTreeSet<usize> {
    let of = |share: usize| share.div_ceil(guesses.len().max(1));
    let mistakes = guesses
        .iter()
        .flat_map(|one| one.mistakes.iter().take(of(most * 2 / 5)));
    let best = guesses
        .iter()
        .flat_map(|one| one.best.iter().take(of(most / 5)));
    let mut wanted: BTreeSet<usize> = mistakes.chain(best).copied().take(most).collect();
    for clip in shuffled(set) {
        if wanted.len() >= most {
            break;
        }
        wanted.insert(clip);
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::tests::set;

    #[test]
    fn movement_is_for_mistakes_best_clips_and_a_sample_that_stays() {
        let labels: Vec<i64> = (0..100).map(|at| at % 3).collect();
        let set = set(&labels);
        let sure = |class: i64, p: f64| {
            let mut row = vec![(1.0 - p) / 2.0; 3];
            row[class as usize] = p;
            row
        };
        // Every fourth clip is wrong; the later, the surer.
        let rows = labels.iter().enumerate();
        let rows = rows.map(|(at, &label)| {
            sure(
                if at % 4 == 0 { (label + 1) % 3 } else { label },
                0.5 + at as f64 / 250.0,
            )
        });
        let guesses = Guesses::new(0, &labels, &rows.collect::<Vec<_>>());
        let found = wanted(&set, &[&guesses], 20);
        assert_eq!(found.len(), 20);
        for clip in [96, 92, 88, 84, 80, 76, 72, 68]
            .iter()
            .chain(&[99, 98, 97, 95])
        {
            assert!(found.contains(clip), "{clip}");
        }
        assert_eq!(found, wanted(&set, &[&guesses], 20));
        assert_eq!(wanted(&set, &[&guesses], 0).len(), 0);
        assert_eq!(wanted(&set, &[&guesses], 500).len(), 100);
        let few = spread(&set, 4);
        let classes: BTreeSet<i64> = few.iter().take(3).map(|&clip| set.labels[clip]).collect();
        assert_eq!((few.len(), classes.len()), (4, 3));
    }
}
