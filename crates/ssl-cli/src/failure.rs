//! Why a command did not succeed, and what the user can do about it.
//!
//! Libraries say what is wrong (file, place, expected, found); the program adds the hint, since
//! only it knows its own flags.

use std::error::Error;
use std::fmt::Display;
use std::path::Path;

use crate::signal::{Interrupt, Signal, Stopped};

/// The result of everything in the program that can fail.
pub type Outcome<T = ()> = Result<T, Failure>;

/// Why a command did not succeed.
#[derive(Debug)]
pub enum Failure {
    /// Something is wrong with a file, a setting or the data: exit code 1.
    Error {
        /// What is wrong.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// The command line asks for something that isn't there: exit code 2.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// The user or the system asked to stop: exit code 130 or 143.
    Interrupted {
        /// What was received.
        signal: Signal,
        /// What was finished and what is left on disk.
        message: String,
    },
    /// All ranks failed for one reason, which rank 0 says.
    Elsewhere,
}

impl Failure {
    /// An error without a hint.
    pub fn error(message: impl Into<String>) -> Failure {
        Failure::Error {
            message: message.into(),
            hint: None,
        }
    }

    /// A mistake on the command line.
    pub fn usage(message: impl Into<String>) -> Failure {
        Failure::Usage {
            message: message.into(),
            hint: None,
        }
    }

    /// The user or the system asked to stop; `message` says what was finished and what is left on disk.
    pub fn interrupted(signal: Signal, message: impl Into<String>) -> Failure {
        Failure::Interrupted {
            signal,
            message: message.into(),
        }
    }

    /// Any error, with the chain of its causes on one line.
    pub fn from_error(error: &(dyn Error + 'static)) -> Failure {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            let text = next.to_string();
            // Some libraries print their cause within their own message.
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            cause = next.source();
        }
        Failure::error(message)
    }

    /// The system refused something with `path`.
    pub fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Failure + '_ {
        move |source| Failure::error(format!("{}: {source}", path.display()))
    }

    /// The same failure, with what to do next; the first hint, closest to the cause, stays.
    pub fn hint(mut self, text: impl Into<String>) -> Failure {
        match &mut self {
            Failure::Error { hint, .. } | Failure::Usage { hint, .. } => {
                hint.get_or_insert_with(|| text.into());
            }
            Failure::Interrupted { .. } | Failure::Elsewhere => {}
        }
        self
    }

    /// The same failure, said of something: `what: message`.
    pub fn of(mut self, what: impl Display) -> Failure {
        match &mut self {
            Failure::Error { message, .. } | Failure::Usage { message, .. } => {
                *message = format!("{what}: {message}");
            }
            Failure::Interrupted { .. } | Failure::Elsewhere => {}
        }
        self
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        match self {
            Failure::Error { message, .. }
            | Failure::Usage { message, .. }
            | Failure::Interrupted { message, .. } => message,
            Failure::Elsewhere => "rank 0 says why",
        }
    }

    /// Asserts that the message has these words, and shows it where it hasn't.
    #[cfg(test)]
    #[track_caller]
    pub fn assert_says(&self, words: &str) {
        let message = self.message();
        assert!(message.contains(words), "no {words:?} in {message}");
    }

    /// Whether a GPU had no memory left, as CUDA and Metal say it.
    pub fn is_out_of_memory(&self) -> bool {
        let message = self.message().to_ascii_lowercase();
        ["out_of_memory", "out of memory"]
            .iter()
            .any(|words| message.contains(words))
    }

    /// The exit code by which scripts tell the kinds apart.
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Error { .. } | Failure::Elsewhere => 1,
            Failure::Usage { .. } => 2,
            Failure::Interrupted { signal, .. } => signal.exit_code(),
        }
    }
}

/// Here and not in `signal`, since a failure knows of signals and a signal of no failures.
impl Interrupt {
    /// An error with this message where the program has been asked to stop.
    pub fn check<M: Into<String>>(&self, message: impl FnOnce() -> M) -> Outcome {
        match self.received() {
            None => Ok(()),
            Some(signal) => Err(Failure::interrupted(signal, message())),
        }
    }
}

impl From<skeleton_data::Error> for Failure {
    fn from(error: skeleton_data::Error) -> Failure {
        use skeleton_data::Error;
        let hint = match &error {
            Error::Io { source, .. } => refused_by_the_system(source.kind()),
            Error::Content { form, .. } => how_it_is_read(*form),
            Error::Clip { .. } => Some("correct the clip in its source, or leave it out"),
            Error::Setting { .. } => Some("change it with --set KEY=VALUE or in the --config file"),
            Error::Schema { .. } => {
                Some("update ssl, or make the cache again with this version's `ssl prepare`")
            }
            Error::Shrunk { .. } => {
                Some("put the file back as it was; a training then goes on with --resume")
            }
            Error::NoSplit { .. } => {
                Some("`ssl inspect CACHE.h5` lists the splits with their sizes")
            }
            Error::Worker { .. } => {
                Some("this is a bug in ssl: please report it with the command line")
            }
            _ => None,
        };
        let failure = Failure::from_error(&error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

/// The first names of a list, and whether there are more: all of them would fill the screen.
pub fn first_few(names: &[String]) -> String {
    const SHOWN: usize = 5;
    let some = names.iter().take(SHOWN).map(String::as_str);
    let some = some.collect::<Vec<_>>().join(", ");
    let more = if names.len() > SHOWN { ", ..." } else { "" };
    format!("{some}{more}")
}

/// What to do about contents that can't be read.
fn how_it_is_read(form: skeleton_data::Form) -> Option<&'static str> {
    use skeleton_data::Form;
    Some(match form {
        Form::Pickle => "only pickles of plain data and numpy arrays are read; nothing is executed",
        Form::Annotation => {
            "an annotation is a dict of frame_dir (the id), label, total_frames, keypoint (persons, frames, joints, coordinates) and perhaps keypoint_score; a file is one, a list of them, or {\"annotations\": [...], \"split\": {name: [id, ...]}}"
        }
        Form::Arrays => {
            "an .npz has x_train, x_test of shape (clips, frames, 150) and y_train, y_test of shape (clips, classes), as CTR-GCN writes them"
        }
        Form::StGcn => {
            "an .npy has shape (clips, coordinates, frames, joints, people), as ST-GCN writes it, of joints and not of bones or motion, which `reading.stream` makes; beside train_data.npy, train_label.pkl holds two lists, names and labels; for arrays of other shapes write JSON lines, or a pickle of dicts with frame_dir, label and keypoint"
        }
        Form::Lines => {
            "the first line is {\"format\": \"skeleton-clips\", \"version\": 1}; each other is a clip, {\"id\": ..., \"keypoints\": [people][frames][joints][x, y]}, or {\"split\": ..., \"ids\": [...]}; a joint that was not seen is null"
        }
        Form::Skeleton => {
            "take the file from its source again, or skip damaged ones: --skip-bad --log FILE.jsonl"
        }
        Form::Recordings => {
            "recordings are called like S001C001P001R001A001.skeleton; --skip-bad leaves out files of other names"
        }
        Form::Estimates => {
            "AlphaPose's list, MMPose's predictions and a folder of OpenPose's frames are read; anything else goes into JSON lines: `ssl convert --help`"
        }
        Form::Frames => {
            "a line is a frame: {\"time\": SECONDS, \"people\": [{\"id\": 1, \"keypoints\": [[x, y, score], null, ...]}]}; --skip-bad leaves out others"
        }
        Form::Packed => "is the file whole? unpack it by hand to see: gunzip FILE, or xz -d FILE",
        Form::Together => {
            "give files of the same joints and form, with ids of their own; one cache for each set otherwise"
        }
        Form::Clips(kind) => how_to_unpack(kind),
        Form::NoCache(_) => {
            "`ssl prepare FILE -o CACHE.h5` makes a cache of a pickle, an .npz, an .npy, JSON lines or a pose estimator's JSON"
        }
        Form::Cache => "make the cache again with `ssl prepare`, and check the source's SHA-256",
        _ => return None,
    })
}

/// What to do with a file of another kind than clips come in.
fn how_to_unpack(kind: skeleton_data::Kind) -> &'static str {
    use skeleton_data::Kind;
    match kind {
        Kind::Bzip2 => "unpack it first: bunzip2 FILE",
        Kind::Rar | Kind::SevenZip | Kind::Tar => {
            "unpack it first, and give the file in it, or the folder of files"
        }
        Kind::Hdf5 => {
            "a cache is ready for `ssl doctor CACHE.h5` and training; `ssl convert` turns it into other forms"
        }
        _ => {
            "pickles, .npz, .npy, JSON lines and pose estimators' JSON are read: `ssl prepare --help`"
        }
    }
}

/// What to do about a system's refusal.
fn refused_by_the_system(kind: std::io::ErrorKind) -> Option<&'static str> {
    use std::io::ErrorKind;
    match kind {
        ErrorKind::NotFound => {
            Some("check the path; `ssl prepare` makes a cache from a pickle or from a seed")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => {
            Some("make room there, or choose another place; what was there before is as it was")
        }
        ErrorKind::ReadOnlyFilesystem | ErrorKind::PermissionDenied => {
            Some("choose another place, or change the permissions of this one")
        }
        _ => None,
    }
}

impl From<skeleton_graph::LayoutError> for Failure {
    fn from(error: skeleton_graph::LayoutError) -> Failure {
        Failure::from_error(&error)
            .hint("`ssl layout` lists the built-in layouts; `ssl layout coco17 > FILE.toml` makes one to start from")
    }
}

impl From<skeletonmae::Error> for Failure {
    fn from(error: skeletonmae::Error) -> Failure {
        use skeletonmae::Error;
        match error {
            Error::Data(source) => from_data(source),
            Error::NonFinite {
                quantity,
                epoch,
                step,
                value,
                clips,
            } => {
                // People count from 1.
                let (epoch, step, some) = (epoch + 1, step + 1, first_few(&clips));
                Failure::error(format!(
                    "the {quantity} is {value} in epoch {epoch}, step {step}; clips of the step: {some}"
                ))
            }
            Error::AllSkipped { epoch, steps } => Failure::error(format!(
                "all {steps} steps of epoch {} were skipped: no loss and gradient was finite",
                epoch + 1
            ))
            .hint("lower the learning rate (optimizer.lr), or look at the clips: `ssl doctor CACHE.h5`"),
            Error::Setting { .. } => Failure::from_error(&error)
                .hint("change it with --set KEY=VALUE or in the --config file"),
            Error::Parameter { .. } => Failure::from_error(&error)
                .hint("compare [model] with the config.toml of the run that made the checkpoint"),
            _ => tensors(&error),
        }
    }
}

/// What the program itself handed to an engine comes back as what it was.
fn from_data(source: Box<dyn Error + Send + Sync>) -> Failure {
    let source = match source.downcast::<Stopped>() {
        Ok(stopped) => return Failure::interrupted(stopped.0, "nothing more was written"),
        Err(source) => source,
    };
    match source.downcast::<skeleton_data::Error>() {
        Ok(error) => Failure::from(*error),
        Err(source) => Failure::from_error(&*source),
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Failure {
        Failure::from_error(&error)
    }
}

impl From<toml::de::Error> for Failure {
    fn from(error: toml::de::Error) -> Failure {
        Failure::from_error(&error)
    }
}

impl From<toml::ser::Error> for Failure {
    fn from(error: toml::ser::Error) -> Failure {
        Failure::from_error(&error)
    }
}

impl From<candle_core::Error> for Failure {
    fn from(error: candle_core::Error) -> Failure {
        tensors(&error)
    }
}

/// Arithmetic that failed: on the CPU a bug, on a device perhaps its memory.
fn tensors(error: &(dyn Error + 'static)) -> Failure {
    let failure = Failure::from_error(error);
    match failure.is_out_of_memory() {
        true => failure.hint("fewer clips at once take less: --batch, where the command has it"),
        false => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_hint_stays() {
        let failure = Failure::error("no").hint("near").hint("far");
        assert!(matches!(failure, Failure::Error { hint: Some(hint), .. } if hint == "near"));
    }

    #[test]
    fn a_gpu_without_memory_is_known_by_its_words() {
        let cuda = candle_core::Error::Msg(
            "DriverError(CUDA_ERROR_OUT_OF_MEMORY, \"out of memory\")".into(),
        );
        let failure = Failure::from(cuda);
        assert!(failure.is_out_of_memory());
        assert!(
            matches!(failure, Failure::Error { hint: Some(hint), .. } if hint.contains("--batch"))
        );
        assert!(!Failure::error("a full disk").is_out_of_memory());
    }

    #[test]
    fn exit_codes_follow_the_contract() {
        assert_eq!(Failure::error("").exit_code(), 1);
        assert_eq!(Failure::usage("").exit_code(), 2);
        let stopped = |signal| Failure::interrupted(signal, "");
        assert_eq!(stopped(Signal::Interrupt).exit_code(), 130);
        assert_eq!(stopped(Signal::Terminate).exit_code(), 143);
    }
}
