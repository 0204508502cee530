//! What the numbers of a file mean, where the file doesn't say it.

use std::str::FromStr;

use half::f16;
use serde::Serialize;

use crate::{Error, Repaired, Result, Sequence, Values};

/// What the numbers of a file mean. The default takes them as coordinates in the cache's units.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Meaning {
    /// What each number of a joint is; none where all are coordinates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<Columns>,
    /// A joint all of whose coordinates have one of these values is missing: trackers mark joints so that they didn't find.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<f32>,
    /// The coordinates are divided by this: 1000 makes metres of millimetres.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divisor: Option<f32>,
}

/// What one number of a joint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// The first coordinate.
    X,
    /// The second coordinate.
    Y,
    /// The third coordinate.
    Z,
    /// The detector's confidence in the joint.
    Score,
    /// Nothing that is read.
    #[serde(rename = "-")]
    Other,
}

/// What each number of a joint is: x and y, perhaps z and a score, each once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Columns(Vec<Column>);

impl FromStr for Columns {
    type Err = String;

    /// Reads a list such as `x,y,score`; `-` stands for a number that isn't read.
    fn from_str(text: &str) -> Result<Columns, String> {
        let column = |name: &str| match name.trim().to_ascii_lowercase().as_str() {
            "x" => Ok(Column::X),
            "y" => Ok(Column::Y),
            "z" => Ok(Column::Z),
            "score" | "visibility" | "confidence" => Ok(Column::Score),
            "-" => Ok(Column::Other),
            _ => Err(format!("expected x, y, z, score or -, found {name:?}")),
        };
        let columns = text.split(',').map(column);
        let columns = Columns(columns.collect::<Result<_, String>>()?);
        for (wanted, counts, what) in [
            (Column::X, 1..=1, "x once"),
            (Column::Y, 1..=1, "y once"),
            (Column::Z, 0..=1, "z once at most"),
            (Column::Score, 0..=1, "one score at most"),
        ] {
            let found = columns.0.iter().filter(|&&column| column == wanted).count();
            if !counts.contains(&found) {
                return Err(format!("expected {what}, found {found}"));
            }
        }
        Ok(columns)
    }
}

impl Columns {
    /// Which column holds this, counted from 0.
    fn place(&self, wanted: Column) -> Option<usize> {
        self.0.iter().position(|&column| column == wanted)
    }

    /// The columns of x, y and, where there is one, z.
    fn coordinates(&self) -> Vec<usize> {
        let axes = [Column::X, Column::Y, Column::Z].into_iter();
        axes.filter_map(|axis| self.place(axis)).collect()
    }
}

impl Meaning {
    /// How many coordinates a joint has whose file gives it `numbers` of them.
    pub fn coordinates(&self, numbers: usize) -> usize {
        let columns = self.columns.as_ref();
        columns.map_or(numbers, |columns| columns.coordinates().len())
    }

    /// The clip as it is meant, [repaired](Sequence::repair), and what was changed.
    ///
    /// # Errors
    /// A clip whose joints have another number of columns, or scores of its own beside a column of them.
    pub fn apply(&self, mut clip: Sequence) -> Result<(Sequence, Repaired)> {
        if let Some(columns) = &self.columns {
            self.split(columns, &mut clip)?;
        }
        let mut marked = 0;
        if !self.missing.is_empty() {
            let joints = match &mut clip.keypoints {
                Values::F16(values) => self.unmark(values, clip.coordinates),
                Values::F32(values) => self.unmark(values, clip.coordinates),
            };
            marked = joints.len();
            for joint in joints {
                match &mut clip.scores {
                    Some(Values::F16(scores)) => scores[joint] = f16::ZERO,
                    Some(Values::F32(scores)) => scores[joint] = 0.0,
                    None => {}
                }
            }
        }
        if let Some(divisor) = self.divisor {
            // Half precision would round a second time.
            let view = clip.keypoints.view();
            let divided = (0..view.len()).map(|at| view.get(at) / divisor);
            clip.keypoints = Values::F32(divided.collect());
        }
        let repaired = clip.repair();
        Ok((clip, Repaired { marked, ..repaired }))
    }

    /// Moves the columns of `clip` to where they belong.
    fn split(&self, columns: &Columns, clip: &mut Sequence) -> Result<()> {
        let (found, expected) = (clip.coordinates, columns.0.len());
        // A clip without joints has no columns.
        if found != expected && !clip.keypoints.view().is_empty() {
            let expected = format!("the {expected} columns that were named");
            return Err(Error::clip(&clip.id, expected, format!("{found} columns")));
        }
        let (places, score) = (columns.coordinates(), columns.place(Column::Score));
        if score.is_some() && clip.scores.is_some() {
            let (expected, found) = ("scores in one place", "a column of them beside scores");
            return Err(Error::clip(&clip.id, expected, found));
        }
        let (keypoints, scores) = match &clip.keypoints {
            Values::F16(values) => {
                let (keypoints, scores) = take(values, expected, &places, score);
                (Values::F16(keypoints), scores.map(Values::F16))
            }
            Values::F32(values) => {
                let (keypoints, scores) = take(values, expected, &places, score);
                (Values::F32(keypoints), scores.map(Values::F32))
            }
        };
        (clip.keypoints, clip.coordinates) = (keypoints, places.len());
        clip.scores = scores.or(clip.scores.take());
        Ok(())
    }

    /// Zeroes the joints that are marked, and says which they are.
    fn unmark<T: Copy + Into<f32> + Default>(&self, values: &mut [T], c: usize) -> Vec<usize> {
        let mut marked = Vec::new();
        for (joint, place) in values.chunks_exact_mut(c.max(1)).enumerate() {
            let is_all = |mark: &f32| place.iter().all(|&x| x.into() == *mark);
            if self.missing.iter().any(is_all) {
                place.fill(T::default());
                marked.push(joint);
            }
        }
        marked
    }
}

/// The coordinates at `places` of rows of `n` numbers, and those at `score`.
fn take<T: Copy>(
    values: &[T],
    n: usize,
    places: &[usize],
    score: Option<usize>,
) -> (Vec<T>, Option<Vec<T>>) {
    let rows = || values.chunks_exact(n);
    let keypoints = rows().flat_map(|row| places.iter().map(|&place| row[place]));
    let scores = score.map(|score| rows().map(|row| row[score]).collect());
    (keypoints.collect(), scores)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(coordinates: usize, numbers: &[f32]) -> Sequence {
        Sequence::new(
            "a",
            [1, 1, numbers.len() / coordinates, coordinates],
            Values::F32(numbers.to_vec()),
        )
    }

    fn columns(text: &str) -> Meaning {
        Meaning {
            columns: Some(text.parse().unwrap()),
            ..Meaning::default()
        }
    }

    #[test]
    fn columns_go_where_they_belong() {
        let (read, _) = columns("x,y,score")
            .apply(clip(3, &[1.0, 2.0, 0.5, 3.0, 4.0, 0.25]))
            .unwrap();
        assert_eq!(read.keypoints, Values::F32(vec![1.0, 2.0, 3.0, 4.0]));
        assert_eq!(read.scores, Some(Values::F32(vec![0.5, 0.25])));
        assert_eq!(read.coordinates, 2);
        let (read, _) = columns("z,-,y,x")
            .apply(clip(4, &[1.0, 2.0, 3.0, 4.0]))
            .unwrap();
        assert_eq!(read.keypoints, Values::F32(vec![4.0, 3.0, 1.0]));
        assert_eq!(read.scores, None);
        assert_eq!(columns("x,y,score").coordinates(3), 2);
        assert_eq!(Meaning::default().coordinates(3), 3);
    }

    #[test]
    fn columns_that_do_not_fit_are_refused() {
        assert!(columns("x,y,score").apply(clip(2, &[1.0, 2.0])).is_err());
        let mut scored = clip(3, &[1.0, 2.0, 3.0]);
        scored.scores = Some(Values::F32(vec![1.0]));
        assert!(columns("x,y,score").apply(scored.clone()).is_err());
        let (read, _) = columns("x,y,z").apply(scored).unwrap();
        assert_eq!(read.scores, Some(Values::F32(vec![1.0])));
        for wrong in ["", "x", "x,y,y", "x,y,score,score", "x,y,w"] {
            assert!(wrong.parse::<Columns>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn marked_joints_are_missing_and_their_scores_zero() {
        let mut marked = clip(2, &[-1.0, -1.0, -1.0, 2.0, 9.0, 9.0]);
        marked.scores = Some(Values::F32(vec![0.5; 3]));
        let meaning = Meaning {
            missing: vec![-1.0, 9.0],
            ..Meaning::default()
        };
        let (read, count) = meaning.apply(marked).unwrap();
        assert_eq!(count.marked, 2);
        assert_eq!(
            read.keypoints,
            Values::F32(vec![0.0, 0.0, -1.0, 2.0, 0.0, 0.0])
        );
        assert_eq!(read.scores, Some(Values::F32(vec![0.0, 0.5, 0.0])));
    }

    #[test]
    fn millimetres_become_metres_in_single_precision() {
        let mut halves = clip(3, &[0.0; 3]);
        halves.keypoints = Values::F16([2000.0, 500.0, -1.0].map(f16::from_f32).to_vec());
        let meaning = Meaning {
            divisor: Some(1000.0),
            ..Meaning::default()
        };
        let (read, _) = meaning.apply(halves).unwrap();
        assert_eq!(read.keypoints, Values::F32(vec![2.0, 0.5, -0.001]));
    }
}
