//! `ssl summary`

use std::path::{Display, Path};

use serde::Serialize;

use crate::args::SummaryArgs;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::report::{Evaluation, Statistic, count};
use crate::run::{CONFIG, Encoder, Record, Settings, TEST, settings};

/// What may differ between the runs of a summary: the seed, and where things are, what computes and which preset the settings
/// began with, which decide nothing. The data are compared by their digest, encoders by the settings of their own runs.
const FREE: [&str; 6] = [
    "run.seed",
    "run.preset",
    "run.threads",
    "run.device",
    "run.data",
    "run.encoder",
];

/// Mean and deviation of runs that differ in the seed.
pub fn run(args: &SummaryArgs, printer: &Printer) -> Outcome {
    let runs = args.runs.iter().map(|folder| Measured::read(folder));
    let runs: Vec<Measured> = runs.collect::<Outcome<_>>()?;
    let first = &runs[0];
    let mut seeds = Vec::new();
    for run in &runs {
        run.like(first)?;
        let seed = run.record.info.seed;
        if let Some(at) = seeds.iter().position(|&other| other == seed) {
            let (a, b) = (runs[at].folder(), run.folder());
            let message = format!("{a} and {b} are both of seed {seed}");
            return Err(Failure::error(message).hint("runs of one seed are one run"));
        }
        seeds.push(seed);
    }
    encoders(&runs, printer)?;
    let last: Vec<&Evaluation> = runs.iter().map(|run| &run.last).collect();
    let best = runs.iter().map(|run| run.record.test_best.as_ref());
    let best: Option<Vec<&Evaluation>> = best.map(|best| Some(&best?.evaluation)).collect();
    let summary = Summary {
        runs: runs.iter().map(|run| run.folder().to_string()).collect(),
        seeds,
        dataset: first.last.dataset.clone(),
        split: first.last.split.clone(),
        n: first.last.n,
        last: Spread::of(&last),
        best: best.map(|best| Spread::of(&best)),
    };
    printer.report(args.json, &summary, Summary::text)
}

/// A run that was measured.
struct Measured {
    record: Record,
    last: Evaluation,
}

impl Measured {
    fn read(folder: &Path) -> Outcome<Measured> {
        let mut record = Record::read(folder)?;
        let last = record.test.take().ok_or_else(|| {
            let path = folder.join(TEST);
            let message = format!("{}: expected a measurement, found none", path.display());
            Failure::error(message)
                .hint("`ssl finetune --test NAME` measures at its end: is the run finished?")
        })?;
        Ok(Measured { record, last })
    }

    /// As typed.
    fn folder(&self) -> Display<'_> {
        self.record.folder.display()
    }

    /// Refuses a run that differs from `first` in more than the seed.
    fn like(&self, first: &Measured) -> Outcome {
        let (ours, theirs) = (self.folder(), first.folder());
        same(
            &self.record.settings,
            &first.record.settings,
            &format!("{ours} and {theirs}"),
        )?;
        let data = |run: &Measured| run.record.info.data.digest.clone();
        let encoder = |run: &Measured| match run.record.info.encoder {
            Some(_) => "a pre-trained one".to_owned(),
            None => "none".to_owned(),
        };
        let measured = |run: &Measured| {
            let last = &run.last;
            format!(
                "{} clips of {} {} {}, {} views",
                last.n, last.dataset, last.digest, last.split, last.views
            )
        };
        for (what, a, b) in [
            ("data (run.json)", data(self), data(first)),
            ("measured (test.json)", measured(self), measured(first)),
            ("encoder (run.json)", encoder(self), encoder(first)),
        ] {
            if a != b {
                let message = format!("{ours} and {theirs} differ in {what}: {a} and {b}");
                return Err(Failure::error(message).hint(ONLY_SEEDS));
            }
        }
        Ok(())
    }
}

const ONLY_SEEDS: &str = "a summary is of runs that differ in the seed only";

/// Refuses settings that differ in more than the seed.
fn same(ours: &Settings, theirs: &Settings, names: &str) -> Outcome {
    let text =
        |value: Option<&toml::Value>| value.map_or("not set".to_owned(), toml::Value::to_string);
    for key in ours.keys().chain(theirs.keys()) {
        let (a, b) = (ours.get(key), theirs.get(key));
        if a != b && !FREE.contains(&key.as_str()) {
            let message = format!("{names} differ in {key}: {} and {}", text(a), text(b));
            return Err(Failure::error(message).hint(ONLY_SEEDS));
        }
    }
    Ok(())
}

/// Encoders are one, or of runs that differ in the seed only; where these are gone it is said.
fn encoders(runs: &[Measured], printer: &Printer) -> Outcome {
    let encoders = runs.iter();
    let encoders = encoders.filter_map(|run| run.record.info.encoder.as_ref());
    let encoders: Vec<&Encoder> = encoders.collect();
    let Some(first) = encoders.first() else {
        return Ok(());
    };
    let mut of_first = None;
    for encoder in encoders.iter().filter(|other| other.sha256 != first.sha256) {
        let beside = |encoder: &Encoder| Path::new(&encoder.path).with_file_name(CONFIG);
        let (ours, theirs) = (beside(encoder), beside(first));
        if let Some(gone) = [&ours, &theirs].into_iter().find(|path| !path.is_file()) {
            printer.warn(format!(
                "the runs start from different encoders, whose settings aren't compared: no {}",
                gone.display()
            ));
            return Ok(());
        }
        let of_first = match &mut of_first {
            Some(settings) => settings,
            none => none.insert(settings(&theirs)?),
        };
        let names = format!("{} and {}", ours.display(), theirs.display());
        same(&settings(&ours)?, of_first, &names)?;
    }
    Ok(())
}

/// Runs that differ in the seed only.
#[derive(Clone, Debug, Serialize)]
struct Summary {
    /// The runs' folders.
    runs: Vec<String>,
    /// Their seeds.
    seeds: Vec<u64>,
    /// The data set's name.
    dataset: String,
    /// The split measured on.
    split: String,
    /// Clips measured.
    n: usize,
    /// After the last epoch (test.json).
    last: Spread,
    /// At the epoch that was best on held-out clips (test_best.json), where all runs have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    best: Option<Spread>,
}

/// The measures over the runs.
#[derive(Clone, Debug, Serialize)]
struct Spread {
    /// Share of clips whose first guess is right.
    top1: Statistic,
    /// Share of clips with the right class among five.
    top5: Statistic,
    /// Mean over the classes of the share that is right.
    mean_class: Statistic,
}

impl Spread {
    /// Of all measures.
    fn of(runs: &[&Evaluation]) -> Spread {
        let over =
            |of: fn(&Evaluation) -> f64| Statistic::of(runs.iter().copied().map(of).collect());
        Spread {
            top1: over(|run| run.top1),
            top5: over(|run| run.top5),
            mean_class: over(|run| run.mean_class),
        }
    }
}

impl Summary {
    /// A few lines for people.
    fn text(&self) -> String {
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
