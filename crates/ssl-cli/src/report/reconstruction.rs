//! What `ssl pretrain` says of held-out clips.

use serde::{Deserialize, Serialize};
use skeleton_graph::Layout;
use skeletonmae::reconstruct::{PartError, Reconstruction};

use super::columns;

/// How well masked joints are put back in coordinates: mean distances in the clips' normalised
/// units.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReconstructionReport {
    /// The split measured on.
    pub split: String,
    /// All parts together.
    pub all: PartReport,
    /// Each part masked alone.
    pub parts: Vec<PartReport>,
}

/// One part masked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PartReport {
    /// The part.
    pub part: String,
    /// Joints reconstructed.
    pub joints: usize,
    /// The model's mean distance; none where no joint was masked.
    pub model: Option<f64>,
    /// The mean distance of the mean of the nearest visible joints by hops.
    pub neighbours: Option<f64>,
    /// Joints for which the model's feature allowed no coordinates; they count as put on the
    /// origin.
    pub without_scale: usize,
}

impl ReconstructionReport {
    /// The sums as means, part by part.
    pub fn new(split: &str, layout: &Layout, sums: &Reconstruction) -> ReconstructionReport {
        let part = |name: &str, sum: &PartError| PartReport {
            part: name.to_owned(),
            joints: sum.joints,
            model: sum.means().map(|means| means.0),
            neighbours: sum.means().map(|means| means.1),
            without_scale: sum.without_scale,
        };
        let parts = layout
            .parts()
            .iter()
            .zip(&sums.parts)
            .map(|(named, sum)| part(&named.name, sum))
            .collect();
        ReconstructionReport {
            split: split.to_owned(),
            all: part("all parts", &sums.total()),
            parts,
        }
    }

    /// A table for people.
    pub fn text(&self) -> String {
        let number = |value: Option<f64>| {
            let text = value.map_or("-".to_owned(), |value| format!("{value:.3}"));
            format!("{text:>5}")
        };
        let head = ["", "model", "nearest visible joints"].map(str::to_owned);
        let rows = self.parts.iter().chain([&self.all]).map(|row| {
            let name = format!("  {}", row.part);
            [name, number(row.model), number(row.neighbours)]
        });
        let rows: Vec<[String; 3]> = std::iter::once(head).chain(rows).collect();
        let mut lines = vec![format!(
            "masked joints of {}, mean distance from the truth in the clips' normalised units:",
            self.split
        )];
        lines.extend(columns(&[false; 3], &rows));
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_without_masked_joints_has_no_mean() {
        let layout = Layout::built_in("coco17").unwrap();
        let mut sums = Reconstruction {
            parts: vec![PartError::default(); layout.parts().len()],
        };
        sums.parts[2] = PartError {
            joints: 4,
            model: 1.0,
            neighbours: 2.0,
            without_scale: 0,
        };
        let report = ReconstructionReport::new("val", &layout, &sums);
        assert_eq!(
            (report.all.model, report.all.neighbours),
            (Some(0.25), Some(0.5))
        );
        assert_eq!(
            (report.parts[0].model, report.parts[2].model),
            (None, Some(0.25))
        );
        let text = report.text();
        assert!(
            text.contains("head           -      -") && text.contains("left arm   0.250  0.500"),
            "{text}"
        );
    }
}
