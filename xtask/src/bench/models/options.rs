//! What was typed behind the topic.

use std::ffi::OsString;
use std::path::PathBuf;

use crate::process::Failure;

/// How the models are measured.
pub const USAGE: &str = "usage: cargo xtask bench pretrain|finetune|infer|infer1|models|sizes|share|ops|all [--rounds N] \
[--threads 1|2] [--clock wall|cpu] [--json FILE] [--markdown FILE] [--readme]";

/// Which clock counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The wall's: what a user waits for.
    Wall,
    /// The processor's: seconds that the process ran, which other work on the machine disturbs less.
    Processor,
}

impl Clock {
    /// As the programs print it.
    pub fn name(self) -> &'static str {
        match self {
            Clock::Wall => "wall",
            Clock::Processor => "cpu",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub rounds: usize,
    pub threads: usize,
    pub clock: Clock,
    pub json: Option<PathBuf>,
    pub markdown: Option<PathBuf>,
    /// Whether the table of docs/speed.md is replaced.
    pub readme: bool,
}

impl Options {
    pub fn parse(args: &[OsString]) -> Result<Options, Failure> {
        let mut options = Options {
            rounds: 9,
            threads: 1,
            clock: Clock::Wall,
            json: None,
            markdown: None,
            readme: false,
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let usage = || Failure::Usage(format!("{}: {USAGE}", word.to_string_lossy()));
            if word == "--readme" {
                options.readme = true;
                continue;
            }
            let value = words.next().ok_or_else(usage)?;
            let number = || {
                let number = value.to_str().and_then(|value| value.parse().ok());
                number.filter(|&n: &usize| n > 0).ok_or_else(usage)
            };
            match (word.to_str(), value.to_str()) {
                (Some("--rounds"), _) => options.rounds = number()?,
                (Some("--threads"), _) => options.threads = number()?,
                (Some("--json"), _) => options.json = Some(value.into()),
                (Some("--markdown"), _) => options.markdown = Some(value.into()),
                (Some("--clock"), Some("wall")) => options.clock = Clock::Wall,
                (Some("--clock"), Some("cpu")) => options.clock = Clock::Processor,
                _ => return Err(usage()),
            }
        }
        Ok(options)
    }

    /// The same without files to write.
    pub fn to_read(&self) -> Options {
        Options {
            json: None,
            markdown: None,
            readme: false,
            ..*self
        }
    }

    /// Refuses what a topic has no use for: the page's table is that of all models, sizes and shares are
    /// no works.
    pub fn fit(&self, topic: &str) -> Result<(), Failure> {
        let files = self.json.is_some() || self.markdown.is_some();
        let all = ["models", "all"].contains(&topic);
        let lone = ["sizes", "share"].contains(&topic);
        if (self.readme && !all) || (files && lone) {
            let asked = if self.readme { "--readme" } else { "a file" };
            return Err(Failure::Usage(format!("{asked} of `{topic}`: {USAGE}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_and_others_refused() {
        let parse = |words: &str| {
            let words: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
            Options::parse(&words)
        };
        let read = parse("--rounds 5 --readme --threads 2 --clock cpu --json x.json").expect("all");
        assert_eq!((read.rounds, read.threads, read.readme), (5, 2, true));
        assert_eq!(
            (read.clock, read.json),
            (Clock::Processor, Some("x.json".into()))
        );
        assert_eq!(parse("").expect("none is needed").rounds, 9);
        for wrong in [
            "--rounds 0",
            "--rounds",
            "--clock sun",
            "--section raw",
            "x",
        ] {
            assert!(matches!(parse(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
        let fits = |words, topic| parse(words).and_then(|options| options.fit(topic)).is_ok();
        assert!(fits("--readme", "models") && fits("--json x", "infer") && fits("", "ops"));
        assert!(fits("--json x", "ops") && !fits("--readme", "ops"));
        assert!(!fits("--readme", "infer") && !fits("--json x", "sizes"));
    }
}
