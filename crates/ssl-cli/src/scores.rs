//! Class probabilities of clips as a file: JSON lines.
//!
//! The first line says what they are of, each further one is a clip:
//!
//! ```text
//! {"ssl-scores":1,"checkpoint":"9f…","dataset":"jhmdb14","digest":"3c…","split":"test1","stream":"joint","views":1,"classes":["catch","clap"]}
//! {"id":"clip-7","label":1,"scores":[0.25,0.75]}
//! ```
//!
//! A clip without a label has `null` there. Numbers are written with as many digits as bring the same 64 bits back.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use strl::Scores;

use crate::checkpoint::Whole;
use crate::failure::{Failure, Outcome};

/// The version of score files that this program writes and reads.
pub const VERSION: u64 = 1;

/// No line of ours is nearly as long, in bytes.
const LONGEST_LINE: u64 = 4 << 20;

/// What the scores are of: the first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
    /// [`VERSION`] when written.
    #[serde(rename = "ssl-scores")]
    pub version: u64,
    /// SHA-256 of the checkpoint that scored; several, joined by `+`, where scores were fused.
    pub checkpoint: String,
    /// The data set's name.
    pub dataset: String,
    /// The cache's digest.
    pub digest: String,
    /// The split.
    pub split: String,
    /// What of the skeleton the model sees.
    pub stream: String,
    /// Views of each clip that were averaged.
    pub views: usize,
    /// Class names in the order of the scores.
    pub classes: Vec<String>,
}

/// A clip's line.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: String,
    label: Option<u32>,
    scores: Vec<f64>,
}

/// Scores with what they are of.
#[derive(Clone, Debug)]
pub struct ScoreFile {
    /// Where they were read from.
    pub path: PathBuf,
    /// What they are of.
    pub about: About,
    /// The clips, in the file's order.
    pub scores: Scores,
}

/// Writes the file whole or not at all.
pub fn write(path: &Path, about: &About, scores: &Scores) -> Outcome {
    let mut whole = Whole::create(path)?;
    let mut line = |value: serde_json::Result<String>| -> Outcome {
        let text = value?;
        writeln!(whole, "{text}").map_err(Failure::io(path))
    };
    line(serde_json::to_string(about))?;
    let clips = scores.ids.iter().zip(&scores.labels);
    for ((id, &label), scores) in clips.zip(&scores.probabilities) {
        line(serde_json::to_string(&Line {
            id: id.clone(),
            label: u32::try_from(label).ok(),
            scores: scores.clone(),
        }))?;
    }
    whole.finish()
}

/// All scores in the order of the first file, of the same clips and classes.
pub fn aligned(files: &[ScoreFile]) -> Outcome<Vec<Scores>> {
    let first = &files[0];
    let one = |file: &ScoreFile| {
        if file.about.classes != first.about.classes {
            let message = format!(
                "{} doesn't fit {}: other classes: {:?} and {:?}",
                file.path.display(),
                first.path.display(),
                file.about.classes,
                first.about.classes
            );
            return Err(Failure::error(message).hint("scores of the same classes are fused"));
        }
        file.in_order_of(first)
    };
    files.iter().map(one).collect()
}

impl ScoreFile {
    /// Reads a file and checks all of it.
    pub fn read(path: &Path) -> Outcome<ScoreFile> {
        let file = File::open(path).map_err(|error| {
            Failure::io(path)(error).hint("`ssl evaluate --scores FILE.jsonl` writes scores")
        })?;
        let mut lines = Lines {
            reader: BufReader::new(file),
            path,
            number: 0,
        };
        let about: About = lines.next()?.ok_or_else(|| {
            Failure::error(format!(
                "{}: expected scores, found nothing",
                path.display()
            ))
            .hint("`ssl evaluate --scores FILE.jsonl` writes them")
        })?;
        if about.version != VERSION {
            let message = format!(
                "{}: scores of version {}: this program reads {VERSION}",
                path.display(),
                about.version
            );
            return Err(Failure::error(message).hint("write them again with this ssl"));
        }
        let (mut scores, mut seen) = (Scores::default(), HashMap::new());
        while let Some(line) = lines.next::<Line>()? {
            lines.check(&line, about.classes.len())?;
            if let Some(first) = seen.insert(line.id.clone(), lines.number) {
                return Err(lines.wrong(&format!("{:?} again, after line {first}", line.id)));
            }
            scores.ids.push(line.id);
            scores.labels.push(line.label.map_or(-1, i64::from));
            scores.probabilities.push(line.scores);
        }
        if scores.ids.is_empty() {
            return Err(
                Failure::error(format!("{}: expected clips, found none", path.display()))
                    .hint("is the file cut off? write it again"),
            );
        }
        Ok(ScoreFile {
            path: path.to_owned(),
            about,
            scores,
        })
    }

    /// Where each clip is, by its id.
    fn places(&self) -> HashMap<&str, usize> {
        let ids = self.scores.ids.iter().map(String::as_str);
        ids.zip(0..).collect()
    }

    /// The scores in the order of `other`, whose clips must be exactly this file's with the same labels.
    fn in_order_of(&self, other: &ScoreFile) -> Outcome<Scores> {
        let (path, theirs) = (self.path.display(), other.path.display());
        let [place, known] = [self, other].map(ScoreFile::places);
        differ(
            &other.scores.ids,
            &place,
            &format!("{theirs} and not of {path}"),
        )?;
        differ(
            &self.scores.ids,
            &known,
            &format!("{path} and not of {theirs}"),
        )?;
        let mut ordered = Scores::default();
        for (id, &label) in other.scores.ids.iter().zip(&other.scores.labels) {
            let at = place[id.as_str()];
            if self.scores.labels[at] != label {
                let message = format!(
                    "clip {id:?} is of class {label} in {theirs} and of {} in {path}",
                    self.scores.labels[at]
                );
                return Err(Failure::error(message).hint("scores of the same data are fused"));
            }
            ordered.ids.push(id.clone());
            ordered.labels.push(label);
            ordered
                .probabilities
                .push(self.scores.probabilities[at].clone());
        }
        Ok(ordered)
    }
}

/// Refuses ids that `among` lacks, by name.
fn differ(ids: &[String], among: &HashMap<&str, usize>, what: &str) -> Outcome {
    let missing = ids.iter().filter(|id| !among.contains_key(id.as_str()));
    let missing: Vec<&String> = missing.collect();
    let Some(first) = missing.first() else {
        return Ok(());
    };
    let more = match missing.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("clips of {what}: {first:?}{more}");
    Err(Failure::error(message).hint("fuse scores of the same split: `ssl evaluate --split NAME`"))
}

/// The lines of a score file.
struct Lines<'a> {
    reader: BufReader<File>,
    path: &'a Path,
    /// Of the line that was read last, from 1.
    number: usize,
}

impl Lines<'_> {
    /// The next line's value; `None` at the end.
    fn next<T: for<'de> Deserialize<'de>>(&mut self) -> Outcome<Option<T>> {
        let mut line = Vec::new();
        let mut some = (&mut self.reader).take(LONGEST_LINE);
        some.read_until(b'\n', &mut line)
            .map_err(Failure::io(self.path))?;
        if line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if line.len() as u64 == LONGEST_LINE && line.last() != Some(&b'\n') {
            return Err(self.wrong("more than 4 MiB"));
        }
        serde_json::from_slice(&line)
            .map(Some)
            .map_err(|error| self.wrong(&error.to_string()))
    }

    fn check(&self, line: &Line, classes: usize) -> Outcome {
        let (count, id) = (line.scores.len(), &line.id);
        if count != classes {
            return Err(self.wrong(&format!("{count} scores of {id:?} for {classes} classes")));
        }
        if let Some(label) = line.label.filter(|&label| label as usize >= classes) {
            return Err(self.wrong(&format!("{id:?} of class {label} of {classes}")));
        }
        let odd = line
            .scores
            .iter()
            .find(|p| !(0.0..=1.0 + 1e-6).contains(*p));
        match odd {
            Some(p) => Err(self.wrong(&format!("a probability of {p} for {id:?}"))),
            None => Ok(()),
        }
    }

    fn wrong(&self, found: &str) -> Failure {
        Failure::error(format!(
            "{}: line {}: expected scores of `ssl evaluate --scores`, found {found}",
            self.path.display(),
            self.number
        ))
        .hint("is the file cut off or changed? write it again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about() -> About {
        About {
            version: VERSION,
            checkpoint: "00".into(),
            dataset: "toy".into(),
            digest: "11".into(),
            split: "test".into(),
            stream: "joint".into(),
            views: 1,
            classes: vec!["a".into(), "b".into()],
        }
    }

    fn scores(ids: &[&str]) -> Scores {
        Scores {
            ids: ids.iter().map(|&id| id.to_owned()).collect(),
            labels: (0..ids.len()).map(|i| i as i64 % 3 - 1).collect(),
            probabilities: vec![vec![0.1 + 0.2, 0.7]; ids.len()],
        }
    }

    fn read(text: &str) -> Outcome<ScoreFile> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        std::fs::write(&path, text).unwrap();
        ScoreFile::read(&path)
    }

    fn written(ids: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        write(&path, &about(), &scores(ids)).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn what_is_written_is_read_to_the_bit() {
        let file = read(&written(&["x", "y", "ü z"])).unwrap();
        assert_eq!(file.about, about());
        assert_eq!(file.scores, scores(&["x", "y", "ü z"]));
    }

    #[test]
    fn damage_is_refused_with_its_line() {
        let good = written(&["x", "y"]);
        let second = good.find("{\"id\":\"y\"").unwrap();
        for (text, part) in [
            (String::new(), "found nothing"),
            (good[..second - 1].replace("{\"id\"", ""), "line 2"),
            (good[..second + 9].to_owned(), "line 3"),
            (good.replace("\"y\"", "\"x\""), "\"x\" again, after line 2"),
            (good.replace(",0.7]", "]"), "1 scores of"),
            (good.replace("0.7", "7.0"), "a probability of 7"),
            (good.replace("null", "2"), "of class 2 of 2"),
            (
                good.replace("\"ssl-scores\":1", "\"ssl-scores\":2"),
                "version 2",
            ),
            (good.lines().next().unwrap().to_owned(), "found none"),
        ] {
            let refused = read(&text).unwrap_err();
            refused.assert_says(part);
        }
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_an_error_or_scores_within_their_bounds() {
        let good = written(&["x", "y"]).into_bytes();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.jsonl");
        let read = |bytes: &[u8]| {
            std::fs::write(&path, bytes).unwrap();
            ScoreFile::read(&path)
        };
        let flipped = (0..8 * good.len()).map(|bit| {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        let cut = (0..good.len()).map(|length| good[..length].to_vec());
        for bytes in cut.chain(flipped) {
            let Ok(file) = read(&bytes) else { continue };
            let classes = file.about.classes.len();
            for p in &file.scores.probabilities {
                assert_eq!(p.len(), classes);
                assert!(p.iter().all(|p| (0.0..=1.0 + 1e-6).contains(p)));
            }
        }
    }

    #[test]
    fn clips_are_matched_by_id_and_differences_are_named() {
        let file = |ids: &[&str]| read(&written(ids)).unwrap();
        let (first, mut second) = (file(&["x", "y"]), file(&["y", "x"]));
        second.scores.labels.reverse();
        second.scores.probabilities = vec![vec![0.0, 1.0], vec![1.0, 0.0]];
        let ordered = second.in_order_of(&first).unwrap();
        assert_eq!(ordered.ids, ["x", "y"]);
        assert_eq!(ordered.probabilities, [[1.0, 0.0], [0.0, 1.0]]);
        let refusal = |a: &ScoreFile, b| a.in_order_of(b).unwrap_err().message().to_owned();
        assert!(refusal(&file(&["x"]), &first).contains("\"y\""));
        assert!(refusal(&file(&["x", "y", "z", "w"]), &first).contains("\"z\" and 1 more"));
        second.scores.labels = vec![1, 1];
        assert!(refusal(&second, &first).contains("of class"));
    }
}
