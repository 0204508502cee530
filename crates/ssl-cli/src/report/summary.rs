//! What `ssl summary` says.

use serde::{Deserialize, Serialize};

use super::{count, percent};

/// What of a test.json is put together; the rest of it is left alone.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Measured {
    /// The data set's name.
    pub dataset: String,
    /// The split measured on.
    pub split: String,
    /// The cache's digest.
    pub digest: String,
    /// Labelled clips.
    pub n: usize,
    /// Views of each clip that were averaged.
    pub views: usize,
    /// Share of clips whose first guess is right.
    pub top1: f64,
    /// Share of clips with the right class among five.
    pub top5: f64,
    /// Mean over the classes of the share that is right.
    pub mean_class: f64,
}

/// Runs that differ in the seed only.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// The runs' folders.
    pub runs: Vec<String>,
    /// Their seeds.
    pub seeds: Vec<u64>,
    /// The data set's name.
    pub dataset: String,
    /// The split measured on.
    pub split: String,
    /// Clips measured.
    pub n: usize,
    /// After the last epoch (test.json).
    pub last: Spread,
    /// At the epoch that was best on held-out clips (test_best.json), where all runs have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub best: Option<Spread>,
}

/// The measures over the runs.
#[derive(Clone, Debug, Serialize)]
pub struct Spread {
    /// Share of clips whose first guess is right.
    pub top1: Statistic,
    /// Share of clips with the right class among five.
    pub top5: Statistic,
    /// Mean over the classes of the share that is right.
    pub mean_class: Statistic,
}

/// One measure over the runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Statistic {
    /// The mean.
    pub mean: f64,
    /// The sample standard deviation (n - 1); none of a single run.
    pub std: Option<f64>,
    /// Each run's.
    pub each: Vec<f64>,
}

impl Spread {
    /// Of all measures.
    pub fn of(runs: &[Measured]) -> Spread {
        let over = |of: fn(&Measured) -> f64| Statistic::of(runs.iter().map(of).collect());
        Spread {
            top1: over(|run| run.top1),
            top5: over(|run| run.top5),
            mean_class: over(|run| run.mean_class),
        }
    }
}

impl Statistic {
    /// Of one value a run.
    pub fn of(each: Vec<f64>) -> Statistic {
        let n = each.len() as f64;
        let mean = each.iter().sum::<f64>() / n;
        let squares: f64 = each.iter().map(|x| (x - mean) * (x - mean)).sum();
        Statistic {
            mean,
            std: (each.len() > 1).then(|| (squares / (n - 1.0)).sqrt()),
            each,
        }
    }

    /// `77.3 % ± 0.4  (77.0 77.6)`
    fn text(&self) -> String {
        let std = self
            .std
            .map_or(String::new(), |std| format!(" ± {:.1}", 100.0 * std));
        let each = self.each.iter().map(|x| format!("{:.1}", 100.0 * x));
        let each: Vec<String> = each.collect();
        format!("{}{std}  ({})", percent(self.mean), each.join(" "))
    }
}

impl Summary {
    /// A few lines for people.
    pub fn text(&self) -> String {
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let mut lines = vec![format!(
            "{} {}: {}, {}, seeds {}; mean ± sample standard deviation",
            self.dataset,
            self.split,
            count(self.n, "clip"),
            count(self.runs.len(), "run"),
            seeds.join(", ")
        )];
        let mut block = |title: &str, spread: &Spread| {
            lines.push(format!("  {title}"));
            lines.push(format!("    top-1       {}", spread.top1.text()));
            lines.push(format!("    top-5       {}", spread.top5.text()));
            lines.push(format!("    mean class  {}", spread.mean_class.text()));
        };
        block("after the last epoch", &self.last);
        if let Some(best) = &self.best {
            block("at the best epoch by held-out clips", best);
        }
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// python3: statistics.mean and statistics.stdev of [0.7, 0.8, 0.75]
    #[test]
    fn the_deviation_is_a_samples() {
        let of = Statistic::of(vec![0.7, 0.8, 0.75]);
        assert!((of.mean - 0.75).abs() < 1e-12);
        assert!((of.std.unwrap() - 0.05).abs() < 1e-12);
        assert_eq!(of.text(), "75.0 % ± 5.0  (70.0 80.0 75.0)");
        assert_eq!(Statistic::of(vec![0.5]).std, None);
    }
}
