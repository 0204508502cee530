//! The arrays of ST-GCN and its relatives: [`RawFormat::StGcn`](super::RawFormat::StGcn).
//!
//! | file | holds |
//! |---|---|
//! | `train_data.npy`, `train_data_joint.npy`, `train_position.npy` | (n, c, t, v, m), numbers: clip, coordinate, frame, joint, person |
//! | `train_label.pkl` beside it | the n names and the n labels |
//!
//! A person whose numbers are all zero is absent. Frames of zeros at the end are padding, and so are those with which 2s-AGCN fills
//! the array up: the clip again from its first frame, bit for bit, as often as it takes.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::npy::Npy;
use super::npz::sequence;
use super::pickle::{Document, Name};
use super::{Contents, pyskl, stem};
use crate::error::Mismatch;
use crate::map::{Storage, unpacked};
use crate::sequence::Number;
use crate::{Form, Result, Sequence, Values, names};

/// Where the clips of an array are, and their labels.
pub(super) struct Clips {
    head: Npy,
    /// Where the numbers begin.
    start: usize,
    /// None where no file beside the array has them.
    labels: Option<Vec<Option<u32>>>,
}

/// Checks an array's form, and reads the names and labels of its clips from the pickle at `labels`.
pub(super) fn open(path: &Path, bytes: &[u8], labels: Option<&Path>) -> Result<(Contents, Clips)> {
    let wrong = |mismatch: Mismatch| mismatch.at(Form::StGcn, path, "");
    let (head, start) = Npy::read(&mut &*bytes).map_err(wrong)?;
    let &[n, c, t, v, m] = &head.shape[..] else {
        let expected = "shape (clips, coordinates, frames, joints, people)";
        return Err(wrong(Mismatch::new(expected, format!("{:?}", head.shape))));
    };
    let refuse = |expected: String, found: String| Err(wrong(Mismatch::new(expected, found)));
    if head.fortran {
        return refuse("an array in C order".into(), "Fortran order".into());
    }
    let name = stem(path);
    let last = name.rsplit(['_', '-']).next().unwrap_or_default();
    if let Some(kind) = ["bone", "motion"].iter().find(|kind| **kind == last) {
        let expected = "the places of joints, of which bones and motion are made".into();
        return refuse(expected, format!("{kind}, as the file is called"));
    }
    if !(2..=4).contains(&c) || [t, v, m].contains(&0) {
        let expected = "2 to 4 numbers of a joint on the second axis, and no axis of length 0";
        return refuse(expected.into(), format!("shape {:?}", head.shape));
    }
    let wanted = head.size().and_then(|size| size.checked_add(start as u64));
    if wanted != Some(bytes.len() as u64) {
        let expected = format!(
            "the numbers of shape {:?} and a head of {start} bytes",
            head.shape
        );
        return refuse(expected, format!("{} bytes", bytes.len()));
    }
    let mut contents = Contents {
        joints: v,
        coordinates: c,
        element_types: vec![head.element.name()],
        ..Contents::default()
    };
    let labels = match labels {
        Some(labels) => {
            let (ids, labels) = names_and_labels(labels, n)?;
            contents.ids = ids;
            let classes = labels.iter().flatten().max();
            contents.classes = classes.map_or(0, |&label| label as usize + 1);
            Some(labels)
        }
        None => {
            let name = stem(path);
            contents.ids = (0..n).map(|index| format!("{name}-{index:06}")).collect();
            None
        }
    };
    let clips = Clips {
        head,
        start,
        labels,
    };
    Ok((contents, clips))
}

/// The name of an array up to what it is an array of: `train_` of `train_data_joint.npy`.
fn before_data(path: &Path) -> Option<String> {
    let mut name = stem(path);
    let at = name.rfind("data").or_else(|| name.rfind("position"))?;
    name.truncate(at);
    Some(name)
}

/// What the split of an array's clips is called: `train` of `train_data_joint.npy`.
pub(super) fn split_of(path: &Path) -> String {
    let name = before_data(path).unwrap_or_default();
    match name.trim_end_matches(['_', '-']) {
        "" => stem(path),
        name => name.to_owned(),
    }
}

/// The pickle of names and labels that lies beside an array, `train_label.pkl` beside `train_data.npy`.
pub(super) fn labels_of(path: &Path) -> Option<PathBuf> {
    let labels = path.with_file_name(format!("{}label.pkl", before_data(path)?));
    labels.is_file().then_some(labels)
}

/// The names of `n` clips, without the ending of a file, and their labels.
fn names_and_labels(path: &Path, n: usize) -> Result<(Vec<String>, Vec<Option<u32>>)> {
    let storage = Arc::new(unpacked(path, Storage::open(path)?)?);
    let document = Document::run(path, &storage)?;
    let wrong = |place: &str, mismatch: Mismatch| mismatch.at(Form::StGcn, path, place);
    let items = document.items(document.root());
    let &[names, labels] = items.map_err(|mismatch| wrong("", mismatch))? else {
        let expected = "two lists, the clips' names and their labels";
        let found = document.describe(document.root());
        return Err(wrong("", Mismatch::new(expected, found)));
    };
    let (mut ids, mut seen, mut classes) = (Vec::new(), HashSet::new(), Vec::new());
    let mut name = |name: Name| {
        let mut id = pyskl::name(name)?;
        for ending in [".skeleton", ".json"] {
            id.truncate(id.strip_suffix(ending).map_or(id.len(), str::len));
        }
        if !seen.insert(id.clone()) {
            return Err(Mismatch::new(
                "a name once",
                format!("{id:?} a second time"),
            ));
        }
        ids.push(id);
        Ok(())
    };
    let read = document.each_name(names, &mut name);
    read.map_err(|mismatch| wrong("the names", mismatch))?;
    let mut label = |label: Name| {
        let number = label.text.parse();
        let number = number.map_err(|_| Mismatch::new(names::expected_label(), &*label.text))?;
        classes.push(pyskl::label_of(number)?);
        Ok(())
    };
    let read = document.each_name(labels, &mut label);
    read.map_err(|mismatch| wrong("the labels", mismatch))?;
    if (ids.len(), classes.len()) != (n, n) {
        let expected = format!("names and labels of {n} clips, as the array has");
        let found = format!("{} names and {} labels", ids.len(), classes.len());
        return Err(wrong("", Mismatch::new(expected, found)));
    }
    Ok((ids, classes))
}

impl Clips {
    /// Clip `index`, called `id`.
    pub(super) fn read(&self, bytes: &[u8], index: usize, id: String) -> Sequence {
        let [_, c, t, v, m] = self.head.shape[..] else {
            unreachable!("five axes were checked when the array was opened");
        };
        let size = c * t * v * m * self.head.element.size();
        let own = &bytes[self.start + index * size..][..size];
        let axes = [c, t, v, m];
        let rows = match self.head.element.decode(own, self.head.big) {
            Values::F16(values) => Values::F16(frames(&values, axes)),
            Values::F32(values) => Values::F32(frames(&values, axes)),
        };
        let label = self.labels.as_ref().and_then(|labels| labels[index]);
        sequence(id, label, &rows, [m, v, c])
    }
}

/// The frames of (c, t, v, m) as (t, m, v, c), without those that fill the array up.
fn frames<T: Number + PartialEq>(values: &[T], [c, t, v, m]: [usize; 4]) -> Vec<T> {
    let mut rows = Vec::with_capacity(values.len());
    for frame in 0..t {
        for person in 0..m {
            for joint in 0..v {
                rows.extend(
                    (0..c).map(|axis| values[((axis * t + frame) * v + joint) * m + person]),
                );
            }
        }
    }
    let row = c * v * m;
    let last = rows.iter().rposition(|x| !x.is_zero());
    let seen = last.map_or(0, |at| at / row + 1);
    let own = if seen == t { period(&rows, row) } else { seen };
    rows.truncate(own * row);
    rows
}

/// After how many rows of `row` numbers they begin again, to go on so to the end; all, where they don't.
fn period<T: PartialEq>(values: &[T], row: usize) -> usize {
    let rows: Vec<&[T]> = values.chunks_exact(row).collect();
    // The prefix function of Knuth, Morris and Pratt: how many of the first rows the rows up to each one end with.
    let mut ends_with = vec![0; rows.len()];
    for at in 1..rows.len() {
        let mut len = ends_with[at - 1];
        while len > 0 && rows[at] != rows[len] {
            len = ends_with[len - 1];
        }
        ends_with[at] = len + usize::from(rows[at] == rows[len]);
    }
    rows.len() - ends_with.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_array_is_called_as_its_split() {
        for (name, split) in [
            ("train_data.npy", "train"),
            ("xsub/val_data_joint.npy", "val"),
            ("train_position.npy.gz", "train"),
            ("data_joint.npy", "data_joint"),
            ("clips.npy", "clips"),
        ] {
            assert_eq!(split_of(Path::new(name)), split, "{name}");
        }
    }

    #[test]
    fn what_fills_an_array_up_is_left_out() {
        let frames = |numbers: &[f32]| {
            // One coordinate, joint and person.
            frames(numbers, [1, numbers.len(), 1, 1])
        };
        assert_eq!(
            frames(&[1.0, 2.0, 3.0, 1.0, 2.0, 3.0, 1.0]),
            [1.0, 2.0, 3.0]
        );
        assert_eq!(frames(&[1.0, 2.0, 1.0, 0.0, 0.0]), [1.0, 2.0, 1.0]);
        assert_eq!(frames(&[0.0, 1.0, 2.0]), [0.0, 1.0, 2.0]);
        assert_eq!(
            frames(&[1.0, 2.0, 3.0, 1.0, 3.0]),
            [1.0, 2.0, 3.0, 1.0, 3.0]
        );
        assert_eq!(
            frames(&[1.0, 1.0, 2.0, 1.0, 1.0, 2.0, 1.0, 1.0]),
            [1.0, 1.0, 2.0]
        );
        assert_eq!(frames(&[0.0, 0.0]), [0.0; 0]);
    }
}
