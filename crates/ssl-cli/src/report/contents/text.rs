//! The page for people.

use std::collections::BTreeMap;

use skeleton_data::draw::plain;

use super::{Bin, Contents, Joint, Scores, Upto};
use crate::report::bars::bars;
use crate::report::{count, percent};

/// Where no joint is missing as often as this, joints aren't listed.
const SMALL: f64 = 0.001;

impl Contents<'_> {
    /// A page for people.
    pub fn text(&self) -> String {
        let mut lines = self.head();
        lines.extend(self.published_lines());
        if !self.frames.histogram.is_empty() {
            lines.push("frames, by clips".to_owned());
            let digits = self.frames.max.to_string().len();
            let name = |bin: &Bin| format!("{:>digits$} to {:>digits$}", bin.from, bin.to);
            let rows: Vec<_> = self
                .frames
                .histogram
                .iter()
                .map(|bin| (name(bin), bin.clips))
                .collect();
            lines.extend(bars(&rows));
        }
        lines.extend(self.missing());
        lines.extend(self.score_distribution.iter().flat_map(Scores::lines));
        lines.push("splits, by clips".to_owned());
        lines.extend(bars(
            &self
                .splits
                .iter()
                .map(|(name, &clips)| (plain(name), clips as u64))
                .collect::<Vec<_>>(),
        ));
        lines.push("classes, by clips".to_owned());
        lines.extend(bars(
            &self
                .classes
                .iter()
                .map(|class| (plain(class.name), class.clips as u64))
                .collect::<Vec<_>>(),
        ));
        if let Some(verified) = &self.verified {
            lines.push(format!(
                "verified: the checksums of all {} agree",
                count(verified.samples, "clip")
            ));
        }
        lines.join("\n")
    }

    fn head(&self) -> Vec<String> {
        let scores = if self.scores { ", with scores" } else { "" };
        let mut lines = vec![
            format!("{}: {}", plain(self.dataset), count(self.clips, "clip")),
            format!(
                "  layout    {}, {} joints of {} coordinates in {} units, {}{scores}",
                plain(self.layout),
                self.joints,
                self.coordinates,
                self.units,
                self.element_type,
            ),
            format!(
                "  frames    {} to {}, median {}",
                self.frames.min, self.frames.max, self.frames.median
            ),
            format!("  people    {}", people(&self.persons)),
            format!("  missing   {} of all joints", percent(self.missing_joints)),
            format!("  digest    {}", self.digest),
            format!("  made by   {}", plain(self.created_by)),
        ];
        if self.tracks != self.persons {
            lines.insert(4, format!("  seen      {}", people(&self.tracks)));
        }
        if self.unlabelled > 0 {
            lines.push(format!(
                "  without a label: {}",
                count(self.unlabelled, "clip")
            ));
        }
        lines
    }

    fn published_lines(&self) -> Vec<String> {
        let Some(published) = &self.published else {
            return Vec::new();
        };
        if published.differences.is_empty() {
            let what = published.compared.join(", ");
            return vec![format!("as is known of {}: {what}", published.title)];
        }
        let mut lines = vec![format!("differs from what is known of {}", published.title)];
        lines.extend(
            published
                .differences
                .iter()
                .map(|difference| format!("  {}", plain(difference))),
        );
        lines
    }

    fn missing(&self) -> Vec<String> {
        if self.missing_joints == 0.0 {
            return Vec::new();
        }
        let mut lines = vec!["missing joints, by clips".to_owned()];
        let name = |upto: &Upto| {
            if upto.percent == 0.0 {
                "none".to_owned()
            } else {
                format!("up to {} %", upto.percent)
            }
        };
        lines.extend(bars(
            &self
                .missing_by_clip
                .iter()
                .map(|upto| (name(upto), upto.clips))
                .collect::<Vec<_>>(),
        ));
        if self.absent_poses > 0.0 {
            lines.push(format!(
                "people stored without any joint: {} of their frames",
                percent(self.absent_poses)
            ));
        }
        let shares = self.missing_by_joint.iter().map(|joint| joint.share);
        if shares.fold(0.0, f64::max) < SMALL {
            lines.push(format!(
                "missing, by joint: below {} of each",
                percent(SMALL)
            ));
            return lines;
        }
        let width = self
            .missing_by_joint
            .iter()
            .map(|joint| joint.joint.chars().count())
            .max()
            .unwrap_or(0);
        lines.push("missing, by joint, where the person is seen".to_owned());
        for Joint { joint, share } in &self.missing_by_joint {
            let bar = "#".repeat((40.0 * share).ceil() as usize);
            lines.push(
                format!("  {:width$}  {:>8}  {bar}", plain(joint), percent(*share))
                    .trim_end()
                    .to_owned(),
            );
        }
        lines
    }
}

impl Scores {
    fn lines(&self) -> Vec<String> {
        let mut rows = vec![("0 or less".to_owned(), self.zero_or_less)];
        let tenth = |(bin, &n): (usize, &u64)| (format!("up to {:.1}", (bin + 1) as f64 / 10.0), n);
        rows.extend(self.tenths.iter().enumerate().map(tenth));
        let rest = [("above 1", self.above_one), ("not finite", self.not_finite)];
        rows.extend(
            rest.into_iter()
                .filter(|&(_, n)| n > 0)
                .map(|(name, n)| (name.to_owned(), n)),
        );
        let quantiles: Vec<String> = self
            .quantiles
            .iter()
            .map(|(at, score)| format!("{at} % up to {score:.2}"))
            .collect();
        let mut lines = vec![format!("scores, by joints: {}", quantiles.join(", "))];
        lines.extend(bars(&rows));
        lines
    }
}

fn people(clips: &BTreeMap<u32, usize>) -> String {
    let parts: Vec<String> = clips
        .iter()
        .map(|(persons, &clips)| format!("{persons} in {}", count(clips, "clip")))
        .collect();
    parts.join(", ")
}
