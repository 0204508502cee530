//! What `ssl reproduce` takes.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{positive, seed};

/// `ssl reproduce`
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssl reproduce table5a                                                      # synthetic clips, seconds
  ssl reproduce table5a table4c --scale small --data jhmdb14=jhmdb14.pkl     # half an hour on two cores
  ssl reproduce controls --scale small --data utd_mhad=utd_mhad.pkl --seeds 0,1,2
  ssl reproduce table1 --scale paper --data gym99=gym.h5                     # says what it costs first

Tables and figures: table1 table2 table3 table4a table4b table4c table5a table5b, figure4a figure4c figure5 figure6;
protocols, which the paper lacks; all, which is these. Ways to train, compared in pairs over splits and seeds: presets, probes,
controls, labels, micro-batches, helps-pretext, helps-masks, helps-context, helps-handing, helps-length, helps-codes,
helps-recipe.
Each becomes a page, a table with what the paper says, with CSV and JSON. A run is kept and used again by everything that
needs the same one; the same command goes on with what is left.")]
pub struct ReproduceArgs {
    /// Tables and figures by name, or all.
    #[arg(value_name = "TABLE", required = true)]
    pub experiments: Vec<String>,

    /// How large the reproduction is.
    #[arg(long, value_enum, default_value_t)]
    pub scale: ScaleName,

    /// Clips that you have, for the scales small and paper: a cache, or a file that `ssl prepare` takes, with the name of its data
    /// set unless the file says it (repeatable).
    #[arg(long, value_name = "[SET=]FILE", help_heading = "Clips")]
    pub data: Vec<PathBuf>,

    /// Seeds that every cell is measured with [default: the scale's].
    #[arg(long, value_name = "N,N", value_delimiter = ',', value_parser = seed(), help_heading = "Settings")]
    pub seeds: Option<Vec<u64>>,

    /// Share of the training split kept away, so that the best epoch by it stands beside the last.
    #[arg(long, value_name = "SHARE", value_parser = share, help_heading = "Settings")]
    pub holdout: Option<f64>,

    /// Clips an update in pre-training, and in fine-tuning; learning rates follow in proportion.
    #[arg(long, value_name = "PRETRAIN[,FINETUNE]", value_parser = batch, help_heading = "Settings")]
    pub batch: Option<Batch>,

    /// Runs at once, of one thread each [default: one a core].
    #[arg(long, value_name = "N", value_parser = positive(), help_heading = "Run")]
    pub jobs: Option<u16>,

    /// Make one of N parts of the runs, as one of N machines that share --out; the part that ends last writes the tables, or the
    /// same command without it.
    #[arg(long, value_name = "I/N", value_parser = shard, help_heading = "Run")]
    pub shard: Option<Shard>,

    /// For tests: after how many seconds of silence another machine counts as gone.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, hide = true)]
    pub silence: u64,

    /// Where runs and prepared clips are kept.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "runs/reproduce",
        help_heading = "Run"
    )]
    pub out: PathBuf,

    /// Where tables go [default: results in the folder of --out].
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub results: Option<PathBuf>,

    /// Start at the scale paper, whose cost is said first.
    #[arg(long, help_heading = "Run")]
    pub yes: bool,

    /// For tests: change a setting of every run of the scale ci, so that its numbers leave their ranges.
    #[arg(long = "break", value_name = "KEY=VALUE", hide = true)]
    pub wrong: Vec<String>,

    /// For the repository: store the numbers of the scale ci as ranges.
    #[arg(long, value_name = "FILE.toml", hide = true)]
    pub record: Option<PathBuf>,
}

/// The three scales.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ScaleName {
    /// Synthetic clips, minutes: whether numbers have moved.
    #[default]
    Ci,
    /// JHMDB, NW-UCLA and UTD-MHAD stand for the paper's sets.
    Small,
    /// The paper's sets and settings.
    Paper,
}

impl ScaleName {
    /// As it is typed.
    pub fn name(self) -> &'static str {
        match self {
            ScaleName::Ci => "ci",
            ScaleName::Small => "small",
            ScaleName::Paper => "paper",
        }
    }
}

/// Clips an update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Batch {
    /// In pre-training.
    pub pretrain: usize,
    /// In fine-tuning; the settings' where it isn't said.
    pub finetune: Option<usize>,
}

fn batch(text: &str) -> Result<Batch, String> {
    let sizes: Option<Vec<usize>> = text
        .split(',')
        .map(|n| n.parse().ok().filter(|&n| n > 0))
        .collect();
    match sizes.as_deref() {
        Some(&[pretrain]) => Ok(Batch {
            pretrain,
            finetune: None,
        }),
        Some(&[pretrain, finetune]) => Ok(Batch {
            pretrain,
            finetune: Some(finetune),
        }),
        _ => Err("expected clips an update, as in 256 or 256,64".to_owned()),
    }
}

/// One of several parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1.
    pub index: usize,
    /// Of how many.
    pub of: usize,
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

fn shard(text: &str) -> Result<Shard, String> {
    /// More than there are runs in any reproduction.
    const MOST: usize = 10_000;
    let parts = text.split_once('/');
    let parts = parts.and_then(|(index, of)| Some((index.parse().ok()?, of.parse().ok()?)));
    parts
        .filter(|&(index, of)| (1..=of).contains(&index) && of <= MOST)
        .map(|(index, of)| Shard { index, of })
        .ok_or_else(|| "expected I/N with I from 1 to N, as in 1/4".to_owned())
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok();
    share
        .filter(|&share| share > 0.0 && share < 1.0)
        .ok_or_else(|| "expected a share between 0 and 1".to_owned())
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};

    fn parse(words: &str) -> Option<ReproduceArgs> {
        let words = format!("ssl reproduce {words}");
        match Cli::try_parse_from(words.split_whitespace()).ok()?.command {
            Command::Reproduce(args) => Some(args),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_are_read_and_others_refused() {
        let typed = "table5a --scale small --data a.h5 --data nw_ucla=b.pkl --seeds 3,4 --jobs 1 --batch 256,64 --holdout 0.2 --yes --shard 2/4";
        let read = parse(typed).expect("all are known");
        assert_eq!(
            (read.scale, read.jobs, read.yes),
            (ScaleName::Small, Some(1), true)
        );
        assert_eq!(
            read.data,
            ["a.h5", "nw_ucla=b.pkl"].map(PathBuf::from).to_vec()
        );
        assert_eq!(read.seeds, Some(vec![3, 4]));
        let batch = Batch {
            pretrain: 256,
            finetune: Some(64),
        };
        assert_eq!((read.batch, read.holdout), (Some(batch), Some(0.2)));
        assert_eq!(read.shard, Some(Shard { index: 2, of: 4 }));
        for wrong in [
            "",
            "table5a --jobs 0",
            "table5a --seeds a",
            "table5a --scale tiny",
            "table5a --frames 3",
            "table5a --batch 1,2,3",
            "table5a --jobs",
            "table5a --holdout 1",
            "table5a --shard 0/2",
            "table5a --shard 3/2",
            "table5a --shard 1",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
