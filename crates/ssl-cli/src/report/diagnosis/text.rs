//! The page for people.

use skeleton_data::draw::plain;
use skeleton_data::health::{Majority, Severity};

use super::{Diagnosis, Named, Overfit, Shown};
use crate::report::{count, percent};

impl Diagnosis<'_> {
    /// A page for people.
    pub fn text(&self) -> String {
        let mut lines = vec![format!(
            "{}: {}",
            plain(self.dataset),
            count(self.clips, "clip")
        )];
        lines.extend(self.findings.iter().flat_map(Shown::lines));
        lines.extend(self.split_lines());
        lines.extend(self.pair_lines());
        lines.extend(self.overfit.iter().map(Overfit::text));
        if self.healthy {
            lines.push("healthy: nothing found that makes training fail or results lie".to_owned());
        }
        lines.join("\n")
    }

    fn split_lines(&self) -> Vec<String> {
        if self.splits.is_empty() {
            return vec!["no splits".to_owned()];
        }
        let mut rows = vec![[
            "split".to_owned(),
            "clips".to_owned(),
            "classes".to_owned(),
            "largest class".to_owned(),
        ]];
        rows.extend(self.splits.iter().map(|split| {
            [
                plain(&split.name),
                split.clips.to_string(),
                split.classes.to_string(),
                self.majority(split.majority),
            ]
        }));
        columns(&rows)
    }

    fn pair_lines(&self) -> Vec<String> {
        if self.pairs.is_empty() {
            let message = "no two splits belong together by name: --split-train NAME --split-test NAME compares two";
            return if self.splits.len() > 1 {
                vec![message.to_owned()]
            } else {
                Vec::new()
            };
        }
        let mut rows = vec![[
            "trained on".to_owned(),
            "tested on".to_owned(),
            "leaked".to_owned(),
            "baseline: always".to_owned(),
        ]];
        rows.extend(self.pairs.iter().map(|pair| {
            [
                plain(&pair.train),
                plain(&pair.test),
                pair.leaked.to_string(),
                self.majority(pair.baseline),
            ]
        }));
        columns(&rows)
    }

    fn majority(&self, most: Option<Majority>) -> String {
        let Some(Majority { class, share }) = most else {
            return "-".to_owned();
        };
        let name = self
            .classes
            .get(class as usize)
            .map_or_else(|| class.to_string(), |name| plain(name));
        format!("{} ({name})", percent(share))
    }
}

impl Shown<'_> {
    fn lines(&self) -> Vec<String> {
        let severity = match self.severity {
            Severity::Error => "ERROR",
            Severity::Warning => "WARNING",
            Severity::Note => "NOTE",
        };
        let mut lines = vec![format!("{severity:8} {}", plain(self.what))];
        let name = |named: &Named<'_>| match named.like {
            Some(like) => format!("{} = {}", plain(named.clip), plain(like)),
            None => plain(named.clip),
        };
        let names: Vec<String> = self.places.iter().map(name).collect();
        match (names.is_empty(), self.more) {
            (true, 0) => {}
            (true, more) => lines.push(format!("         where  {}", count(more, "clip"))),
            (false, 0) => lines.push(format!("         where  {}", names.join(", "))),
            (false, more) => lines.push(format!(
                "         where  {} and {more} more",
                names.join(", ")
            )),
        }
        lines.push(format!("         why    {}", self.why));
        lines.push(format!("         do     {}", self.advice));
        lines
    }
}

impl Overfit {
    fn text(&self) -> String {
        let (clips, classes) = (count(self.clips, "clip"), count(self.classes, "class"));
        let split = self
            .split
            .as_ref()
            .map_or(String::new(), |split| format!(" from {}", plain(split)));
        let way = format!(
            "loss {:.3} to {:.3} in {}",
            self.first_loss,
            self.last_loss,
            count(self.steps, "step")
        );
        let (severity, verdict) = match self.fits {
            true => ("OK", "learnt by heart".to_owned()),
            false if self.last_loss.is_finite() => (
                "ERROR",
                format!("not learnt by heart: the loss stays above {:.3}", self.goal),
            ),
            false => (
                "ERROR",
                "not learnt by heart: the loss is not finite".to_owned(),
            ),
        };
        let mut text = format!(
            "{severity:8} one batch of {clips} of {classes}{split} ({}): {verdict}; {way}",
            self.settings
        );
        if !self.fits {
            text.push_str(
                "\n         why    a model that can't fit a few clips won't learn many: labels, coordinates or settings are wrong\n         \
                 do     draw some of these clips (ssl inspect --clip), lower the rate (--set finetune.optimizer.lr=...)",
            );
        }
        text
    }
}

/// Columns two spaces apart; the first two are names where they aren't numbers.
fn columns(rows: &[[String; 4]]) -> Vec<String> {
    let width = |column: usize| {
        rows.iter()
            .map(|row| row[column].chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths = [0, 1, 2, 3].map(width);
    let numbers = |column: usize| {
        rows.iter()
            .skip(1)
            .all(|row| row[column].parse::<usize>().is_ok())
    };
    let right = [0, 1, 2, 3].map(numbers);
    let line = |row: &[String; 4]| {
        let cells = (0..4).map(|c| match right[c] {
            true => format!("{:>1$}", row[c], widths[c]),
            false => format!("{:1$}", row[c], widths[c]),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}
