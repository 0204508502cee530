//! What is typed after `cargo xtask bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::data::DataOptions;

/// What is measured.
#[derive(Clone, Debug, PartialEq, Subcommand)]
pub enum Topic {
    /// The readers beside Python stand-ins, as ratios.
    Data(DataOptions),
    /// All works of the models beside PyTorch, as ratios.
    Models(TableOptions),
    /// Steps of pre-training.
    Pretrain(WorkOptions),
    /// Steps of fine-tuning.
    Finetune(WorkOptions),
    /// Inference on 16 clips.
    Infer(WorkOptions),
    /// Inference on one clip.
    Infer1(WorkOptions),
    /// Each op alone.
    Ops(WorkOptions),
    /// Larger and smaller steps of pre-training.
    Sizes(Rounds),
    /// What batches take of a step of fine-tuning.
    Share(Rounds),
    /// Models, ops and readers.
    All(TableOptions),
}

/// How models are measured.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct Rounds {
    /// Rounds, in each of which every side does a few steps.
    #[arg(long, value_name = "N", default_value_t = 9, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// Threads of each side.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: u16,
    /// Which clock counts.
    #[arg(long, value_enum, default_value_t)]
    pub clock: Clock,
}

/// How a work is measured.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct WorkOptions {
    #[command(flatten)]
    pub rounds: Rounds,
    #[command(flatten)]
    pub files: Files,
}

/// How all works are measured.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct TableOptions {
    #[command(flatten)]
    pub work: WorkOptions,
    /// Replace the table of docs/speed.md.
    #[arg(long)]
    pub page: bool,
}

/// Where what was found is written.
#[derive(Clone, Debug, Default, PartialEq, Args)]
pub struct Files {
    /// Write rounds and ratios here.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write a table here.
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

/// Which clock counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Clock {
    /// The wall's: what a user waits for.
    #[default]
    Wall,
    /// The processor's: seconds that the process ran, which other work on the machine disturbs less.
    #[value(name = "cpu")]
    Processor,
}

impl Clock {
    /// As it is typed, and as the programs print it.
    pub fn name(self) -> &'static str {
        match self {
            Clock::Wall => "wall",
            Clock::Processor => "cpu",
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Bench {
        #[command(subcommand)]
        topic: Topic,
    }

    fn parse(words: &str) -> Option<Topic> {
        let words = format!("bench {words}");
        let parsed = Bench::try_parse_from(words.split_whitespace());
        Some(parsed.ok()?.topic)
    }

    #[test]
    fn options_are_read_and_others_refused() {
        let read = parse("data --section raw --repetitions 5 --json x.json");
        let expected = DataOptions {
            section: Some("raw".into()),
            repetitions: 5,
            json: Some("x.json".into()),
        };
        assert_eq!(read, Some(Topic::Data(expected)));
        let read = parse("all --rounds 5 --page --threads 2 --clock cpu --json x.json");
        let Some(Topic::All(table)) = read else {
            panic!("all are known")
        };
        let Rounds {
            rounds,
            threads,
            clock,
        } = table.work.rounds;
        assert_eq!((rounds, threads, table.page), (5, 2, true));
        assert_eq!(clock, Clock::Processor);
        assert_eq!(table.work.files.json, Some("x.json".into()));
        for right in ["data", "models --page", "infer1 --json x", "ops --json x"] {
            assert!(parse(right).is_some(), "{right}");
        }
        for wrong in [
            "",
            "infer16",
            "data --repetitions 0",
            "data --repetitions",
            "data --sections raw",
            "data --section rwa",
            "data raw",
            "models --rounds 0",
            "models --rounds",
            "models --clock sun",
            "models --section raw",
            "models x",
            "ops --page",
            "infer --page",
            "sizes --json x",
        ] {
            assert!(parse(wrong).is_none(), "{wrong}");
        }
    }
}
