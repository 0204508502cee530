//! What is typed after `cargo xtask reproduce`.

use std::ffi::OsString;
use std::path::PathBuf;

use skeleton_datasets::paper::Experiment;

use super::scale::ScaleName;
use crate::process::Failure;

pub const USAGE: &str = "\
usage: cargo xtask reproduce TABLE... [--scale ci|small|paper] [--data [SET=]FILE]... [--seeds 0,1,2] [--jobs N]
       [--holdout SHARE] [--batch PRETRAIN[,FINETUNE]] [--out DIR] [--results DIR] [--yes]";

/// What was typed.
#[derive(Debug, PartialEq)]
pub struct Options {
    /// Ids of experiments, in their order.
    pub experiments: Vec<String>,
    pub scale: ScaleName,
    /// Files of clips, some with the name of their set.
    pub data: Vec<(Option<String>, PathBuf)>,
    pub seeds: Option<Vec<u64>>,
    /// Processes of `ssl` at work at once.
    pub jobs: usize,
    /// Share of the training split kept away, so that the best epoch by it stands beside the last.
    pub holdout: Option<f64>,
    /// Clips an update, of pre-training and of fine-tuning.
    pub batch: Option<(usize, Option<usize>)>,
    /// Where runs are kept.
    pub out: Option<PathBuf>,
    /// Where tables go.
    pub results: Option<PathBuf>,
    /// The cost has been seen.
    pub yes: bool,
    /// For tests: settings of every pre-training that make its loss another one.
    pub wrong: Vec<String>,
    /// For us: store what was found as what is expected.
    pub record: bool,
}

impl Options {
    /// Reads the arguments; `known` are all experiments.
    pub fn parse(args: &[OsString], known: &[&Experiment]) -> Result<Options, Failure> {
        let mut options = Options {
            experiments: Vec::new(),
            scale: ScaleName::Ci,
            data: Vec::new(),
            seeds: None,
            jobs: std::thread::available_parallelism().map_or(1, usize::from),
            holdout: None,
            batch: None,
            out: None,
            results: None,
            yes: false,
            wrong: Vec::new(),
            record: false,
        };
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let typed = word.to_string_lossy().into_owned();
            if !typed.starts_with('-') {
                options.choose(&typed, known)?;
                continue;
            }
            match typed.as_str() {
                "--yes" => options.yes = true,
                "--record" => options.record = true,
                _ => {
                    let value = words.next().ok_or_else(|| refuse(&typed, "a value"))?;
                    options.option(&typed, value)?;
                }
            }
        }
        if options.experiments.is_empty() {
            let message = format!("expected a table or figure: {}\n{USAGE}", names(known));
            return Err(Failure::Usage(message));
        }
        Ok(options)
    }

    fn choose(&mut self, typed: &str, known: &[&Experiment]) -> Result<(), Failure> {
        let ids: Vec<String> = known
            .iter()
            .filter(|one| typed == "all" || one.id == typed)
            .map(|one| one.id.clone())
            .collect();
        if ids.is_empty() {
            let message = format!(
                "unknown table or figure `{typed}`: {}\n{USAGE}",
                names(known)
            );
            return Err(Failure::Usage(message));
        }
        for id in ids {
            if !self.experiments.contains(&id) {
                self.experiments.push(id);
            }
        }
        Ok(())
    }

    fn option(&mut self, name: &str, value: &OsString) -> Result<(), Failure> {
        let text = value.to_string_lossy().into_owned();
        match name {
            "--scale" => self.scale = ScaleName::of(&text)?,
            "--data" => self.data.push(match text.split_once('=') {
                Some((set, path)) => (Some(set.to_owned()), path.into()),
                None => (None, value.into()),
            }),
            "--seeds" => {
                let seeds: Option<Vec<u64>> = text.split(',').map(|n| n.parse().ok()).collect();
                let expected = "seeds, as in 0,1,2";
                self.seeds = Some(seeds.ok_or_else(|| refuse(name, expected))?);
            }
            "--jobs" => {
                let jobs = text.parse().ok().filter(|&n| n > 0);
                self.jobs = jobs.ok_or_else(|| refuse(name, "a number of processes"))?;
            }
            "--holdout" => {
                let share = text
                    .parse()
                    .ok()
                    .filter(|&share| share > 0.0 && share < 1.0);
                self.holdout = Some(share.ok_or_else(|| refuse(name, "a share between 0 and 1"))?);
            }
            "--batch" => {
                let expected = "clips an update, as in 256 or 256,64";
                let sizes: Option<Vec<usize>> = text
                    .split(',')
                    .map(|n| n.parse().ok().filter(|&n| n > 0))
                    .collect();
                self.batch = match sizes.as_deref() {
                    Some([pretrain]) => Some((*pretrain, None)),
                    Some([pretrain, finetune]) => Some((*pretrain, Some(*finetune))),
                    _ => return Err(refuse(name, expected)),
                };
            }
            "--out" => self.out = Some(value.into()),
            "--results" => self.results = Some(value.into()),
            "--break" => self.wrong.push(text),
            _ => return Err(Failure::Usage(format!("unknown option {name}\n{USAGE}"))),
        }
        Ok(())
    }
}

fn refuse(name: &str, expected: &str) -> Failure {
    Failure::Usage(format!("{name}: expected {expected}\n{USAGE}"))
}

fn names(known: &[&Experiment]) -> String {
    let mut ids: Vec<&str> = known.iter().map(|one| one.id.as_str()).collect();
    ids.push("all");
    ids.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reproduce::known;

    fn parse(words: &str) -> Result<Options, Failure> {
        let words: Vec<OsString> = words.split_whitespace().map(OsString::from).collect();
        let known = known().expect("the embedded experiments are valid");
        Options::parse(&words, &known)
    }

    #[test]
    fn tables_are_chosen_by_name_in_the_order_typed_and_once() {
        let read = parse("table5a table4c table5a").expect("both are known");
        assert_eq!(read.experiments, ["table5a", "table4c"]);
        let all = parse("all").expect("known").experiments;
        assert!(
            all.len() == 13 && all.contains(&"protocols".to_owned()),
            "{all:?}"
        );
        let error = parse("table9").expect_err("unknown").to_string();
        assert!(
            error.contains("`table9`") && error.contains("table5b"),
            "{error}"
        );
        assert!(parse("").is_err());
    }

    #[test]
    fn options_are_read_and_others_refused() {
        let typed = "table5a --scale small --data a.h5 --data nw_ucla=b.pkl --seeds 3,4 --jobs 1 --batch 256,64 --holdout 0.2 --yes";
        let read = parse(typed).expect("all are known");
        assert_eq!(
            (read.scale, read.jobs, read.yes),
            (ScaleName::Small, 1, true)
        );
        assert_eq!(read.data[0], (None, "a.h5".into()));
        assert_eq!(read.data[1], (Some("nw_ucla".into()), "b.pkl".into()));
        assert_eq!(read.seeds, Some(vec![3, 4]));
        assert_eq!(
            (read.batch, read.holdout),
            (Some((256, Some(64))), Some(0.2))
        );
        for wrong in [
            "--jobs 0",
            "--seeds a",
            "--scale tiny",
            "--frames 3",
            "--batch 1,2,3",
            "--jobs",
            "--holdout 1",
        ] {
            assert!(
                matches!(parse(&format!("table5a {wrong}")), Err(Failure::Usage(_))),
                "{wrong}"
            );
        }
    }
}
