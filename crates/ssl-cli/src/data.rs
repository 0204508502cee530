//! The cache a command reads.

use std::fs::File;
use std::io::Read as _;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use skeleton_data::cache::Cache;
use skeleton_data::reading::Reading;
use skeleton_data::split::Fold;
use skeleton_data::{ClipSource, Kind};

use crate::checkpoint::Fingerprint;
use crate::failure::{Failure, Outcome, first_few};
use crate::feed::sorted_out;
use crate::fit::Facts;
use crate::printer::Printer;
use crate::report::count;

/// An open cache.
#[derive(Clone)]
pub struct Data {
    cache: Arc<Cache>,
}

/// Everything but splits is as the cache has it.
impl Deref for Data {
    type Target = Cache;

    fn deref(&self) -> &Cache {
        &self.cache
    }
}

/// Whether a file is a cache: by its first bytes, or by its name's ending where it can't be read.
pub fn is_cache(path: &Path) -> bool {
    let mut start = [0; 8];
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match read {
        Ok(()) if Kind::of(&start) == Some(Kind::Hdf5) => true,
        _ => path.extension().is_some_and(|ending| ending == "h5"),
    }
}

impl Data {
    /// Opens the cache, whose metadata are checked by their digest.
    pub fn open(path: Option<&Path>) -> Outcome<Data> {
        let path = path.ok_or_else(|| {
            Failure::usage("expected --data CACHE.h5 (or run.data in the config)")
                .hint("`ssl prepare FILE -o CACHE.h5` makes a cache; --resume needs none where --out holds a run")
        })?;
        let cache = Arc::new(Cache::open(path)?);
        let (name, clips, digest) = (path.display(), cache.len(), cache.digest());
        tracing::info!(path = %name, clips, digest, "cache opened");
        Ok(Data { cache })
    }

    /// The cache itself, whose [`split`](Cache::split) is as the file has it.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// What loaders read.
    pub fn source(&self) -> Arc<dyn ClipSource> {
        self.cache.clone()
    }

    /// What runs record of their data.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint {
            dataset: self.dataset().to_owned(),
            digest: self.digest().to_owned(),
        }
    }

    /// The clips of a split, or of a [`Fold`] of it, by their ids' order, so that the order in a file changes nothing.
    pub fn split(&self, name: &str) -> Outcome<Vec<u32>> {
        let has = |name: &str| self.splits().any(|(known, _)| known == name);
        let (split, fold) = match Fold::parse(name) {
            // It may be a split's own name.
            (_, Some(_)) if has(name) => (name, None),
            parsed => parsed,
        };
        let mut clips = self.sorted(self.cache.split(split)?.to_vec());
        if let Some(fold) = fold {
            let sample = |clip: u32| self.sample(clip as usize);
            let labels = self.labels();
            let class = |clip: u32| labels[clip as usize];
            clips = fold.of(&clips, |clip| sample(clip).subject, class);
        }
        if clips.is_empty() {
            let message = format!("split {name:?}: expected clips, found none");
            return Err(Failure::error(message).hint("`ssl inspect CACHE.h5` lists the splits"));
        }
        Ok(clips)
    }

    /// The clips of a split to train on, or to measure on beside a training: those that show nobody are refused with their names, or
    /// left out where `skip_empty` says so.
    pub fn shown(
        &self,
        split: &str,
        reading: &Reading,
        skip_empty: bool,
        printer: &Printer,
    ) -> Outcome<Vec<u32>> {
        let clips = self.split(split)?;
        let (shown, _, names) = sorted_out(&*self.cache, reading, clips)?;
        if names.is_empty() {
            return Ok(shown);
        }
        let (clips, some) = (count(names.len(), "clip"), first_few(&names));
        if !skip_empty || shown.is_empty() {
            let message = format!(
                "split {split:?}: expected clips that show somebody, found {clips} that don't: {some}"
            );
            return Err(Failure::error(message).hint(
                "leave them out with --skip-empty; `ssl doctor CACHE.h5` says which joints are missing, reading.score_threshold decides it",
            ));
        }
        printer.warn(format!(
            "{clips} of {split} without anybody left out: {some}"
        ));
        Ok(shown)
    }

    /// How many of `clips` have more than so many people stored.
    pub fn crowded(&self, clips: &[u32], persons: usize) -> usize {
        let is = |&&clip: &&u32| self.sample(clip as usize).persons > persons;
        clips.iter().filter(is).count()
    }

    /// Tracks of the `batch` clips of `clips` that have most, `persons` a clip at most.
    pub fn most_tracks(&self, clips: &[u32], batch: usize, persons: usize) -> usize {
        let tracks = |&clip: &u32| self.sample(clip as usize).persons.min(persons);
        let mut tracks: Vec<usize> = clips.iter().map(tracks).collect();
        tracks.sort_unstable_by(|one, other| other.cmp(one));
        tracks.iter().take(batch).sum()
    }

    /// All clips by their ids' order.
    pub fn all(&self) -> Vec<u32> {
        self.sorted((0..self.len() as u32).collect())
    }

    fn sorted(&self, mut clips: Vec<u32>) -> Vec<u32> {
        clips.sort_by_key(|&clip| self.sample(clip as usize).id);
        clips
    }

    /// The ids of some clips.
    pub fn ids(&self, clips: &[u32]) -> Vec<String> {
        let id = |&clip: &u32| self.sample(clip as usize).id.to_owned();
        clips.iter().map(id).collect()
    }

    /// How it looks to a model.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            name: self.path().to_owned(),
            layout: self.layout(),
            units: Some(self.units()),
            coordinates: self.coordinates(),
            classes: Some(self.classes()),
        }
    }
}
