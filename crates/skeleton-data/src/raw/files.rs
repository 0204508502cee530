//! Several files of clips as one set: a file a split, a folder of a file a clip, a folder of frames.

use std::cell::Cell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use skeleton_graph::Layout;

use super::estimators::{frame_of, is_frame};
use super::{
    Contents, ENDINGS, Meaning, RawFile, RawFormat, ending, files_below, jsonl, stem, stgcn,
};
use crate::error::Mismatch;
use crate::{Error, Form, Repaired, Result, Sequence};

/// Files that stay open; more are opened again, one at a time, where their clips are read.
const STAY_OPEN: usize = 16;

/// A file or folder of clips, and what the split of its clips is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The file, or a folder whose files of clips, with those of the folders in it, are meant.
    pub path: PathBuf,
    /// The split; none where it is called as the file is.
    pub split: Option<String>,
}

/// Files of clips as one set, whose ids, joints and first lines agree.
///
/// Where several inputs are given, the clips of each that has no splits of its own are one, called as the input says or as the file
/// or folder is; those of ST-GCN's arrays are one in any case (`train` of `train_data.npy`). Splits of one name add up.
#[derive(Default)]
pub struct RawFiles {
    sources: Vec<Source>,
    contents: Contents,
    formats: Vec<RawFormat>,
    layout: Option<Layout>,
    header: Option<jsonl::Header>,
    meaning: Meaning,
    /// By id, with the classes' names.
    labels: Option<(HashMap<String, u32>, Vec<String>)>,
    skipped: Vec<Error>,
    repaired: Cell<Repaired>,
}

/// Where some clips are.
struct Source {
    place: Place,
    /// The file beside it that has its labels.
    labels: Option<PathBuf>,
    open: Option<RawFile>,
}

/// What is opened.
enum Place {
    File(PathBuf),
    /// The frames of one video of OpenPose, in their folder.
    Frames(PathBuf, Vec<PathBuf>),
}

impl Place {
    fn path(&self) -> &Path {
        match self {
            Place::File(path) | Place::Frames(path, _) => path,
        }
    }

    fn open(&self, meaning: &Meaning) -> Result<RawFile> {
        let file = match self {
            Place::File(path) => RawFile::open(path),
            Place::Frames(folder, files) => RawFile::of_frames(folder, files),
        };
        Ok(file?.meaning(meaning.clone()))
    }
}

impl Deref for RawFiles {
    type Target = Contents;

    fn deref(&self) -> &Contents {
        &self.contents
    }
}

impl RawFiles {
    /// Opens the files, whose numbers mean `meaning`. Those that can't be read are an error, or left out where `skip` says so
    /// ([`skipped`](Self::skipped)).
    ///
    /// # Errors
    /// As [`RawFile::open`]; a folder without such files; files whose joints, coordinates or first lines differ, or that have a clip
    /// of the same id.
    pub fn open(inputs: &[Input], meaning: Meaning, skip: bool) -> Result<RawFiles> {
        let mut files = RawFiles {
            meaning,
            ..RawFiles::default()
        };
        let mut merge = Merge::default();
        for input in inputs {
            let mut places = Vec::new();
            if input.path.is_dir() {
                places = in_folder(&input.path)?;
            } else {
                places.push(Place::File(input.path.clone()));
            }
            for place in places {
                match place.open(&files.meaning) {
                    Ok(file) => {
                        let own = match (&input.split, file.format()) {
                            (Some(split), _) => Some(split.clone()),
                            (None, RawFormat::StGcn) => Some(stgcn::split_of(place.path())),
                            (None, _) => (inputs.len() > 1).then(|| stem(&input.path)),
                        };
                        files.add(place, file, own.as_deref(), &mut merge)?;
                    }
                    Err(error) if skip => files.skipped.push(error),
                    Err(error) => return Err(error),
                }
            }
        }
        files.contents.splits = merge.splits;
        if files.sources.is_empty()
            && let Some(error) = files.skipped.pop()
        {
            return Err(error);
        }
        Ok(files)
    }

    fn add(
        &mut self,
        place: Place,
        file: RawFile,
        own: Option<&str>,
        merge: &mut Merge,
    ) -> Result<()> {
        let path = place.path().to_owned();
        let wrong = |expected: String, found: String| {
            Err(Mismatch::new(expected, found).at(Form::Together, &path, ""))
        };
        let (layout, header) = (file.layout()?, file.header().cloned());
        if let Some(first) = self.sources.first() {
            let name = first.place.path().display();
            if (&layout, &header) != (&self.layout, &self.header) {
                let expected = format!("the first line, or the format, of {name}");
                return wrong(expected, "another".into());
            }
        } else {
            (self.layout, self.header) = (layout, header);
        }
        let shape = |contents: &Contents| (contents.joints, contents.coordinates);
        if shape(&file.contents).0 > 0 {
            let (v, c) = shape(&self.contents);
            match &merge.first {
                Some(first) if (v, c) != shape(&file.contents) => {
                    let expected = format!("{v} joints of {c} numbers, as in {}", first.display());
                    let (v, c) = shape(&file.contents);
                    return wrong(expected, format!("{v} of {c}"));
                }
                Some(_) => {}
                None => {
                    (self.contents.joints, self.contents.coordinates) = shape(&file.contents);
                    merge.first = Some(path.clone());
                }
            }
        }
        let number = self.sources.len();
        for id in file.ids() {
            if let Some(other) = merge.ids.insert(id.clone(), number) {
                let other = self.sources[other].place.path().display();
                return wrong(
                    "ids that occur in one file only".into(),
                    format!("clip {id:?}, which is in {other} too"),
                );
            }
        }
        self.contents.ids.extend_from_slice(file.ids());
        self.contents.classes = self.contents.classes.max(file.classes());
        for name in file.element_types() {
            if !self.contents.element_types.contains(name) {
                self.contents.element_types.push(name);
            }
        }
        if !self.formats.contains(&file.format()) {
            self.formats.push(file.format());
        }
        match own {
            Some(own) if file.splits().is_empty() => merge.add(own, file.ids()),
            _ => {
                for (name, ids) in file.splits() {
                    merge.add(name, ids);
                }
            }
        }
        let labels = match file.format() {
            RawFormat::StGcn => stgcn::labels_of(&path),
            _ => None,
        };
        let open = (number < STAY_OPEN).then_some(file);
        self.sources.push(Source {
            place,
            labels,
            open,
        });
        Ok(())
    }

    /// What the files are together: the first one's name, for messages.
    pub fn name(&self) -> String {
        let first = self.sources.first();
        let first = first.map_or(String::new(), |source| {
            source.place.path().display().to_string()
        });
        match self.sources.len() {
            0 | 1 => first,
            n => format!("{first} and {} more", n - 1),
        }
    }

    /// All files that are read.
    pub fn paths(&self) -> Vec<&Path> {
        let mut paths = Vec::new();
        for source in &self.sources {
            match &source.place {
                Place::File(path) => {
                    paths.push(&**path);
                    paths.extend(source.labels.as_deref());
                }
                Place::Frames(_, files) => paths.extend(files.iter().map(|path| &**path)),
            }
        }
        paths
    }

    /// Why files were left out.
    pub fn skipped(&self) -> &[Error] {
        &self.skipped
    }

    /// c, the same in all clips; 0 where there are none.
    pub fn coordinates(&self) -> usize {
        self.meaning.coordinates(self.contents.coordinates)
    }

    /// How many numbers the files give of a joint, before [`Meaning::columns`] names them.
    pub fn columns(&self) -> usize {
        self.contents.coordinates
    }

    /// What the numbers mean.
    pub fn meaning(&self) -> &Meaning {
        &self.meaning
    }

    /// How many classes the labels ask for.
    pub fn classes(&self) -> usize {
        match &self.labels {
            Some((labels, _)) => labels.values().max().map_or(0, |&label| label as usize + 1),
            None => self.contents.classes,
        }
    }

    /// The forms of the files.
    pub fn formats(&self) -> &[RawFormat] {
        &self.formats
    }

    /// What the first line of JSON lines says.
    pub fn header(&self) -> Option<&jsonl::Header> {
        self.header.as_ref()
    }

    /// The layout, where the files or their form say it.
    pub fn layout(&self) -> Option<&Layout> {
        self.layout.as_ref()
    }

    /// The classes' names in the order of the labels, where the files say them.
    pub fn class_names(&self) -> &[String] {
        match (&self.labels, &self.header) {
            (Some((_, names)), _) => names,
            (None, Some(header)) => &header.classes,
            (None, None) => &[],
        }
    }

    /// From now on the clips have these labels, by id, and others none; `names` are the classes'.
    pub fn relabel(&mut self, labels: HashMap<String, u32>, names: Vec<String>) {
        self.labels = Some((labels, names));
    }

    /// What was repaired in the clips read so far.
    pub fn repaired(&self) -> Repaired {
        self.repaired.get()
    }

    /// Shows all clips to `visit`, in the order of the files, and stops at its first error.
    ///
    /// # Errors
    /// Those of `visit`, and of damaged data or a file that is another by now; the error names the place.
    pub fn each<E: From<Error>>(
        &self,
        mut visit: impl FnMut(Sequence) -> Result<(), E>,
    ) -> Result<(), E> {
        let (v, c) = (self.joints(), self.coordinates());
        let mut first = 0;
        for source in &self.sources {
            let again;
            let file = match &source.open {
                Some(file) => file,
                None => {
                    again = source.place.open(&self.meaning)?;
                    let ids = again.ids().len();
                    if self.ids().get(first..first + ids) != Some(again.ids()) {
                        let path = source.place.path();
                        let wrong = Mismatch::new("the clips that it had before", "others");
                        return Err(wrong.at(Form::Together, path, "").into());
                    }
                    &again
                }
            };
            first += file.ids().len();
            file.each(|mut clip| {
                if clip.keypoints.view().is_empty() {
                    // Nobody: whatever the file takes its joints to be.
                    (clip.joints, clip.coordinates) = (v, c);
                }
                if let Some((labels, _)) = &self.labels {
                    clip.label = labels.get(&clip.id).copied();
                }
                visit(clip)
            })?;
            self.repaired
                .set(self.repaired.get() + file.repaired.take());
        }
        Ok(())
    }
}

/// What is kept while files are put together.
#[derive(Default)]
struct Merge {
    /// Which file has a clip.
    ids: HashMap<String, usize>,
    /// The first file with a joint.
    first: Option<PathBuf>,
    splits: Vec<(String, Vec<String>)>,
    seen: HashMap<String, HashSet<String>>,
}

impl Merge {
    /// Adds clips to a split, each once.
    fn add(&mut self, split: &str, ids: &[String]) {
        let place = self.splits.iter().position(|(name, _)| name == split);
        let place = place.unwrap_or_else(|| {
            self.splits.push((split.to_owned(), Vec::new()));
            self.splits.len() - 1
        });
        let seen = self.seen.entry(split.to_owned()).or_default();
        let new = ids.iter().filter(|id| seen.insert((*id).clone()));
        self.splits[place].1.extend(new.cloned());
    }
}

/// The clips of a folder and of the folders in it, in the order of their names.
fn in_folder(folder: &Path) -> Result<Vec<Place>> {
    let (mut files, mut frames) = (Vec::new(), BTreeMap::<_, Vec<(i64, PathBuf)>>::new());
    for path in files_below(folder)? {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // macOS puts `._NAME` beside files.
        if name.starts_with('.') {
            continue;
        }
        if is_frame(&path) {
            let (video, number) = frame_of(&path);
            let of_video = (path.parent().unwrap_or(folder).to_owned(), video);
            frames.entry(of_video).or_default().push((number, path));
        } else if ENDINGS.contains(&ending(&path).as_str()) {
            files.push(Place::File(path));
        }
    }
    for ((folder, _), mut of_video) in frames {
        of_video.sort();
        let paths = of_video.into_iter().map(|(_, path)| path).collect();
        files.push(Place::Frames(folder, paths));
    }
    let labels: HashSet<PathBuf> = files
        .iter()
        .filter(|file| ending(file.path()) == "npy")
        .filter_map(|file| stgcn::labels_of(file.path()))
        .collect();
    files.retain(|file| !labels.contains(file.path()));
    files.sort_by(|one, other| one.path().cmp(other.path()));
    if files.is_empty() {
        let expected =
            "files of clips (.pkl, .npy, .npz, .jsonl, .json) or of recordings (.skeleton)";
        return Err(Mismatch::new(expected, "none").at(Form::Together, folder, ""));
    }
    Ok(files)
}

/// Whether a folder, or one in it, has a `.skeleton` file.
///
/// # Errors
/// A folder that can't be read.
pub fn has_recordings(folder: &Path) -> Result<bool> {
    let files = files_below(folder)?;
    Ok(files.iter().any(|path| super::ntu::is_recording(path)))
}
