//! A run's folder, which nothing else writes to.
//!
//! | file | what |
//! |---|---|
//! | config.toml | the resolved settings, usable again with `--config` |
//! | run.json | seed, commit, data fingerprint, device, threads, instruction set, versions; where it was resumed |
//! | metrics.jsonl | one JSON line an epoch: the same for the same settings, seed and data |
//! | timings.jsonl | one JSON line an epoch: what the clock says, kept apart for that reason |
//! | resume/ | the last few states of the training: what `--resume` goes on from |
//! | model.safetensors | the checkpoint after the last finished epoch |
//! | best.safetensors | with held-out clips: the checkpoint of the epoch that was best on them |
//! | non_finite.json | the clips of a step that ended the run since its loss or gradient wasn't finite |
//! | reconstruction.json | pre-training with `--val`: how well masked joints are put back |
//! | test.json | fine-tuning with `--test`: the measurement after the last epoch |
//! | test_best.json | the same of best.safetensors |
//! | events.out.tfevents.* | with `--tensorboard`: for TensorBoard, made of the other files |
//! | lock | keeps a second process away |
//!
//! A state is written before everything that follows from it, so that a run that is killed between two
//! files makes up for it when it goes on.

mod info;
mod record;
mod resumed;
mod states;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

pub use self::info::{Encoder, Info, Labels};
pub use self::record::{
    Epoch, Exchange, Record, Settings, Stage, Timing, epochs, is_held, series, settings, unix,
};
pub use self::resumed::Resumed;
pub use self::states::States;
use crate::args::RunArgs;
use crate::checkpoint::{self, BESIDE, Checkpoint, Meta, State, write_json, write_whole};
use crate::config::Config;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;

const LOCK: &str = "lock";
pub const CONFIG: &str = "config.toml";
pub const INFO: &str = "run.json";
const METRICS: &str = "metrics.jsonl";
pub const TIMINGS: &str = "timings.jsonl";
const BEST: &str = "best.safetensors";
pub const NON_FINITE: &str = "non_finite.json";
pub const RECONSTRUCTION: &str = "reconstruction.json";
pub const TEST: &str = "test.json";
pub const TEST_BEST: &str = "test_best.json";

/// How the names of files begin that TensorBoard reads; the rest is when the run began, and where.
pub const EVENTS: &str = "events.out.tfevents.";

/// A lock holds the number of a process.
const LONGEST_LOCK: u64 = 32;

/// What a run writes beside its states and its lock, and so what `--overwrite` may remove.
const OURS: [&str; 10] = [
    CONFIG,
    INFO,
    METRICS,
    TIMINGS,
    checkpoint::FILE,
    BEST,
    NON_FINITE,
    RECONSTRUCTION,
    TEST,
    TEST_BEST,
];

/// A run folder, and what its one owner needs to write to it.
#[derive(Debug)]
pub struct Run {
    folder: PathBuf,
    /// None in a process that trains with the owner: what it would write the owner does.
    own: Option<Own>,
}

#[derive(Debug)]
struct Own {
    _lock: Lock,
    states: States,
    metrics: Lines,
    timings: Lines,
}

impl Run {
    /// Refuses a folder in use; call it before anything slow starts, and [`create`](Self::create)
    /// once everything else is known to fit.
    pub fn check(folder: &Path, overwrite: bool) -> Outcome {
        let names = states::names(folder)
            .map_err(|failure| failure.hint("--out names a folder for the run"))?;
        let is_ours = |name: &&String| {
            OURS.contains(&name.as_str())
                || [LOCK, states::FOLDER].contains(&name.as_str())
                || name.starts_with(BESIDE)
                || name.starts_with(EVENTS)
        };
        // What a run leaves that was killed before it had written anything.
        let left = |name: &String| name == LOCK || name.starts_with(BESIDE);
        let Some(first) = names.iter().find(|name| !left(name)) else {
            return Ok(());
        };
        if !overwrite {
            return Err(Failure::error(format!(
                "{}: expected an empty folder, found {first} in it",
                folder.display()
            ))
            .hint(
                "choose another --out, go on with the run that is there with --resume, or replace it with --overwrite",
            ));
        }
        let stranger = names.iter().find(|name| !is_ours(name)).cloned();
        let stranger = match stranger {
            None => States::of(folder, 1).stranger()?,
            some => some,
        };
        match stranger {
            None => Ok(()),
            Some(other) => {
                let folder = folder.display();
                let message =
                    format!("{folder}: expected the folder of a run, found {other} in it");
                Err(Failure::error(message).hint(
                    "--overwrite removes only what a run wrote: move other files away, \
                     or choose another --out",
                ))
            }
        }
    }

    /// Goes on with a run that was found, or makes a new one; the state is where to go on. `now` is what this process
    /// would train, after so many epochs.
    pub fn open(
        resumed: Option<Resumed>,
        args: &RunArgs,
        config: &Config,
        info: &Info,
        now: impl FnOnce(usize) -> Outcome<Meta>,
        printer: &Printer,
    ) -> Outcome<(Run, Option<State>)> {
        let config = config.to_toml()?;
        match resumed {
            Some(resumed) => resumed.open(args, &config, info, now, printer),
            None => Ok((Run::create(args, &config, info)?, None)),
        }
    }

    /// Makes the folder and records the settings and the circumstances.
    fn create(args: &RunArgs, config: &str, info: &Info) -> Outcome<Run> {
        let folder = &args.out;
        fs::create_dir_all(folder).map_err(|error| {
            Failure::io(folder)(error).hint("--out names a folder that this process can make")
        })?;
        // Of two runs started into one folder the second stops here.
        let lock = Lock::take(folder)?;
        Run::check(folder, args.overwrite)?;
        Run::begin(args, lock, config, info)
    }

    /// An empty run in a folder that is ours.
    fn begin(args: &RunArgs, lock: Lock, config: &str, info: &Info) -> Outcome<Run> {
        let folder = args.out.clone();
        let states = States::of(&folder, usize::from(args.keep));
        states.clear()?;
        remove_unfinished(&folder)?;
        for name in OURS {
            states::remove(&folder.join(name))?;
        }
        for events in events(&folder)? {
            states::remove(&events)?;
        }
        write_whole(&folder.join(CONFIG), config.as_bytes())?;
        let own = Own {
            metrics: Lines::rewrite(folder.join(METRICS), String::new())?,
            timings: Lines::rewrite(folder.join(TIMINGS), String::new())?,
            _lock: lock,
            states,
        };
        let run = Run {
            folder,
            own: Some(own),
        };
        run.write_json(INFO, info)?;
        Ok(run)
    }

    /// The run of another process, which owns its folder.
    pub fn elsewhere(folder: &Path) -> Run {
        Run {
            folder: folder.to_owned(),
            own: None,
        }
    }

    /// Whether this process owns the folder.
    pub fn is_ours(&self) -> bool {
        self.own.is_some()
    }

    /// The checkpoint's path.
    pub fn checkpoint_path(&self) -> PathBuf {
        self.folder.join(checkpoint::FILE)
    }

    /// The path of the checkpoint that was best on held-out clips.
    pub fn best_path(&self) -> PathBuf {
        self.folder.join(BEST)
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds a line to metrics.jsonl as it will be: no clock, no path, no machine. It is in the file
    /// after [`publish`](Self::publish).
    pub fn note(&mut self, line: &impl Serialize) -> Outcome {
        match &mut self.own {
            Some(own) => own.metrics.note(line),
            None => Ok(()),
        }
    }

    /// Brings metrics.jsonl up to what was noted.
    pub fn publish(&mut self) -> Outcome {
        match &mut self.own {
            Some(own) => own.metrics.publish(),
            None => Ok(()),
        }
    }

    /// The lines of metrics.jsonl so far.
    pub fn noted(&self) -> &str {
        self.own.as_ref().map_or("", |own| own.metrics.text())
    }

    /// One line of timings.jsonl.
    pub fn timings(&mut self, line: &impl Serialize) -> Outcome {
        let Some(own) = &mut self.own else {
            return Ok(());
        };
        own.timings.note(line)?;
        own.timings.publish()
    }

    /// Saves a state of the training.
    pub fn save(&self, state: &State) -> Outcome {
        match &self.own {
            Some(own) => own.states.save(state).map_err(with_resume_hint),
            None => Ok(()),
        }
    }

    /// Replaces the checkpoint.
    pub fn checkpoint(&self, checkpoint: &Checkpoint) -> Outcome {
        self.write(checkpoint, &self.checkpoint_path())
    }

    /// Replaces the best checkpoint.
    pub fn best(&self, checkpoint: &Checkpoint) -> Outcome {
        self.write(checkpoint, &self.best_path())
    }

    fn write(&self, checkpoint: &Checkpoint, path: &Path) -> Outcome {
        match self.own {
            Some(_) => checkpoint::write(checkpoint, path).map_err(with_resume_hint),
            None => Ok(()),
        }
    }

    /// The clips of the step that ended the run; returns the file.
    pub fn non_finite(&self, report: &impl Serialize) -> Outcome<PathBuf> {
        self.write_json(NON_FINITE, report)?;
        Ok(self.folder.join(NON_FINITE))
    }

    /// Writes a measurement: [`RECONSTRUCTION`], [`TEST`] or [`TEST_BEST`].
    pub fn write_json(&self, name: &str, value: &impl Serialize) -> Outcome {
        match self.own {
            Some(_) => write_json(&self.folder.join(name), value).map_err(with_resume_hint),
            None => Ok(()),
        }
    }
}

/// A failed write leaves the run as it was, which is what its user wants to know first.
fn with_resume_hint(failure: Failure) -> Failure {
    failure.hint("what the run had saved before is as it was: make room, then go on with --resume")
}

/// The files in a run folder that TensorBoard reads.
pub fn events(folder: &Path) -> Outcome<Vec<PathBuf>> {
    let names = states::names(folder)?.into_iter();
    let events = names.filter(|name| name.starts_with(EVENTS));
    Ok(events.map(|name| folder.join(name)).collect())
}

/// Removes what a killed process had begun to write.
fn remove_unfinished(folder: &Path) -> Outcome {
    for name in states::names(folder)? {
        if name.starts_with(BESIDE) {
            states::remove(&folder.join(name))?;
        }
    }
    Ok(())
}

/// A file of JSON lines that never holds half a line for long: what is cut off is made good by
/// rewriting the file when the run goes on.
#[derive(Debug)]
struct Lines {
    path: PathBuf,
    file: File,
    text: String,
    published: usize,
}

impl Lines {
    /// The file with these lines and no others.
    fn rewrite(path: PathBuf, text: String) -> Outcome<Lines> {
        write_whole(&path, text.as_bytes()).map_err(with_resume_hint)?;
        let file = OpenOptions::new().append(true).open(&path);
        Ok(Lines {
            file: file.map_err(Failure::io(&path))?,
            published: text.len(),
            path,
            text,
        })
    }

    /// The lines so far, published or not.
    fn text(&self) -> &str {
        &self.text
    }

    /// Adds a line.
    fn note(&mut self, line: &impl Serialize) -> Outcome {
        let line = serde_json::to_string(line)?;
        self.text.push_str(&line);
        self.text.push('\n');
        Ok(())
    }

    /// Brings the file up to what was noted.
    fn publish(&mut self) -> Outcome {
        let written = self.file.write_all(&self.text.as_bytes()[self.published..]);
        if let Err(error) = written {
            // The disk may be full in the middle of a line: back to the last whole one.
            let _ = self.file.set_len(self.published as u64);
            return Err(with_resume_hint(Failure::io(&self.path)(error)));
        }
        self.published = self.text.len();
        Ok(())
    }
}

/// Refuses a link in a run folder that would lead writing out of it: the folder may be a stranger's. All other files of a
/// run are written aside and renamed, which replaces a link and leaves alone what it leads to.
pub fn unlinked(path: &Path) -> Outcome {
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_symlink() => Err(Failure::error(format!(
            "{}: expected no symbolic link in a run folder",
            path.display()
        ))
        .hint("remove it if you know where it leads, or choose another --out")),
        _ => Ok(()),
    }
}

/// Held as long as the value lives; the system lets go of it with the process, however that ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// How often, and after how long, a lock is asked for again: who only looks holds it for a moment.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_millis(20);

impl Lock {
    /// Takes the lock of a folder that is there, or says who holds it.
    pub fn take(folder: &Path) -> Outcome<Lock> {
        let path = folder.join(LOCK);
        unlinked(&path)?;
        unlinked(&folder.join(states::FOLDER))?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = options.open(&path).map_err(|error| {
            Failure::io(&path)(error).hint("--out names a folder that this process may write to")
        })?;
        let length = file.metadata().map_err(Failure::io(&path))?.len();
        if length > LONGEST_LOCK {
            let message = format!(
                "{}: expected a run's lock, found a file of {length} bytes",
                path.display()
            );
            return Err(Failure::error(message).hint("move it away, or choose another --out"));
        }
        let held = |_: &usize| matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        (1..TRIES)
            .take_while(held)
            .for_each(|_| std::thread::sleep(PAUSE));
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // The number only helps: without it the message says the rest.
                let _ = Read::by_ref(&mut file)
                    .take(LONGEST_LOCK)
                    .read_to_string(&mut holder);
                let holder = holder.trim().parse::<u32>();
                let holder = holder.map_or(String::new(), |id| format!(" (process {id})"));
                let folder = folder.display();
                return Err(Failure::error(format!(
                    "{folder}: another process{holder} is using this run folder"
                ))
                .hint("wait for it, stop it, or choose another --out"));
            }
            Err(TryLockError::Error(error)) => return Err(Failure::io(&path)(error)),
        }
        // The number is for messages alone; a full disk fails the files that matter next.
        let _ = file
            .set_len(0)
            .and_then(|()| file.write_all(format!("{}\n", std::process::id()).as_bytes()));
        Ok(Lock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::checkpoint::{Fingerprint, Kind};
    use crate::machine::Machine;

    fn create(folder: &Path, overwrite: bool) -> Outcome<Run> {
        let args = RunArgs {
            skip_empty: false,
            data: None,
            out: folder.to_owned(),
            overwrite,
            resume: false,
            tensorboard: false,
            keep: 2,
            save_every: 600,
            seed: None,
            machine: crate::args::MachineArgs::default(),
        };
        let data = Fingerprint {
            dataset: "synthetic".into(),
            digest: "00".into(),
        };
        let info = Info::new(Kind::Pretrain, 1, data, &Machine::cpu(1), None);
        Run::create(&args, "[run]\n", &info)
    }

    #[test]
    fn a_folder_in_use_is_refused_and_replaced_only_when_asked() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("deep/run");
        let mut run = create(&folder, false).unwrap();
        run.note(&1).unwrap();
        run.publish().unwrap();
        drop(run);
        let refused = create(&folder, false).unwrap_err();
        refused.assert_says("expected an empty folder");
        create(&folder, true).unwrap();
        assert_eq!(fs::read_to_string(folder.join(METRICS)).unwrap(), "");
    }

    #[test]
    fn overwrite_never_removes_what_no_run_wrote() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("thesis.tex"), "years").unwrap();
        let refused = create(folder.path(), true).unwrap_err();
        refused.assert_says("thesis.tex");
        assert!(folder.path().join("thesis.tex").exists());
    }

    #[test]
    fn lines_are_json_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut run = create(folder.path(), false).unwrap();
        for epoch in 1..3 {
            run.note(&serde_json::json!({ "epoch": epoch })).unwrap();
            run.publish().unwrap();
        }
        assert_eq!(
            fs::read_to_string(folder.path().join(METRICS)).unwrap(),
            "{\"epoch\":1}\n{\"epoch\":2}\n"
        );
    }

    #[test]
    fn a_folder_has_one_holder_until_it_lets_go() {
        let folder = tempfile::tempdir().unwrap();
        let held = Lock::take(folder.path()).unwrap();
        let refused = Lock::take(folder.path()).unwrap_err();
        let id = std::process::id().to_string();
        refused.assert_says("another process");
        refused.assert_says(&id);
        drop(held);
        Lock::take(folder.path()).unwrap();
    }
}
