//! `ssl reproduce TABLE`: a table or figure of the paper as one command, on whatever clips there are.
//!
//! The paper's numbers and what was different from cell to cell are data (`datasets/paper.toml`), how large a reproduction is
//! another (`reproduce/SCALE.toml`). `plan` makes runs of this program from both, each with complete settings and named by a
//! hash of everything its result depends on; `job_pool` starts those that are not there; `table` and `page` write what came out
//! beside what the paper says.

mod clips;
mod compare;
mod comparison;
mod estimate;
mod job;
mod job_pool;
mod outcome;
mod page;
mod plan;
mod ranges;
mod settings;
mod shards;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use skeleton_datasets::paper::{Experiment, experiments, experiments_from_toml};

use self::clips::Set;
use self::compare::PlannedComparison;
use self::comparison::{Comparison, comparisons};
use self::job::{Folder, Job, Program};
use self::job_pool::Runner;
use self::outcome::Compares;
pub use self::outcome::Gain;
pub use self::plan::CellRuns;
use self::plan::{Plan, Planner};
use self::settings::{Base, Scale, ScaleSet};
use self::shards::share;
pub use self::table::{Machine, Seeded};
use self::table::{Source, Table};
use crate::args::{ReproduceArgs, ScaleName};
use crate::checkpoint::write_whole;
use crate::config::Assignment;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;
use crate::process::{cores, processor};
use crate::report::{distinct, spell};
use crate::signal::Interrupt;

/// All experiments: the paper's, then those it lacks.
fn known() -> Vec<&'static Experiment> {
    static OURS: std::sync::LazyLock<Vec<Experiment>> = std::sync::LazyLock::new(|| {
        let text = include_str!("../../reproduce/protocols.toml");
        experiments_from_toml("protocols.toml", text).unwrap_or_else(|error| {
            panic!("the embedded protocols are valid, as tests show: {error}")
        })
    });
    experiments().iter().chain(&*OURS).collect()
}

/// What was named, each once, in the order typed.
#[derive(Default)]
struct Chosen {
    experiments: Vec<&'static Experiment>,
    comparisons: Vec<&'static Comparison>,
}

fn chosen(typed: &[String]) -> Outcome<Chosen> {
    let known = known();
    let mut chosen = Chosen::default();
    for name in typed {
        let is = |id: &String| name == "all" || name == id;
        let named: Vec<&Experiment> = known.iter().copied().filter(|one| is(&one.id)).collect();
        let compared = comparisons().iter().filter(|one| *name == one.id);
        let compared: Vec<&Comparison> = compared.collect();
        if named.is_empty() && compared.is_empty() {
            let ids = known.iter().map(|one| one.id.as_str());
            let ids = ids.chain(comparisons().iter().map(|one| one.id.as_str()));
            let ids: Vec<&str> = ids.collect();
            return Err(
                Failure::usage(format!("no table or figure is called `{name}`"))
                    .hint(format!("there are {}, all", ids.join(", "))),
            );
        }
        chosen.experiments.extend(named);
        chosen.comparisons.extend(compared);
    }
    Ok(Chosen {
        experiments: distinct(chosen.experiments),
        comparisons: distinct(chosen.comparisons),
    })
}

/// Makes what was typed.
pub fn run(args: &ReproduceArgs, printer: &Printer, interrupt: &Interrupt) -> Outcome {
    let chosen = chosen(&args.experiments)?;
    let scale = Scale::read(args.scale)?;
    let tested = !args.wrong.is_empty() || args.record.is_some();
    if tested && args.scale != ScaleName::Ci {
        return Err(
            Failure::usage("--break and --record are for the scale ci alone")
                .hint("leave them out, or take --scale ci"),
        );
    }
    interrupt
        .catch_hangup()
        .map_err(|error| Failure::error(format!("catching signals: {error}")))?;
    let program = Program::this(interrupt)?;
    let folder = Folder::at(args.out.clone());
    let wanted = wanted(&scale, &chosen);
    let sets = clips::sets(&program, &scale, &wanted, &args.data, &folder.data())?;
    let (bases, remarks) = bases(args, &scale.sets)?;
    let whole = scale.sets.iter().map(|set| ScaleSet {
        settings: toml::Table::new(),
        ..set.clone()
    });
    let whole: Vec<ScaleSet> = whole.collect();
    let (presets, _) = self::bases(args, &whole)?;
    remarks.iter().for_each(|remark| printer.say(remark));
    let this = Reproduction {
        args,
        chosen,
        scale: &scale,
        sets: &sets,
        seeds: args.seeds.as_ref().unwrap_or(&scale.seeds),
    };
    let (plan, comparisons) = this.plan(&program, &folder, (&bases, &presets))?;
    refuse_empty(&plan, printer)?;
    let runner = Runner {
        program: &program,
        folder: &folder,
        printer,
        interrupt,
        workers: args.jobs.map_or_else(cores, usize::from),
        silence: Duration::from_secs(args.silence),
    };
    match this.make(&plan, &comparisons, runner)? {
        true => this.write(&plan, &comparisons, runner, &remarks),
        false => Ok(()),
    }
}

/// What was typed, with the clips that are here.
struct Reproduction<'a> {
    args: &'a ReproduceArgs,
    chosen: Chosen,
    scale: &'a Scale,
    sets: &'a [Set],
    seeds: &'a [u64],
}

impl Reproduction<'_> {
    fn plan(
        &self,
        program: &Program,
        folder: &Folder,
        (bases, presets): (&BTreeMap<&str, Base>, &BTreeMap<&str, Base>),
    ) -> Outcome<(Plan, Vec<PlannedComparison>)> {
        let planner = Planner {
            scale: self.scale,
            sets: self.sets,
            bases,
            presets,
            seeds: self.seeds,
            holdout: self.args.holdout,
            // What moved between two builds is what `ci` is there to find; elsewhere runs of an earlier build are not thrown
            // away, and the tables name the commits they were made at.
            program: match self.args.scale {
                ScaleName::Ci => &program.build,
                _ => &program.version,
            },
            folder,
        };
        let mut plan = Plan::default();
        for experiment in &self.chosen.experiments {
            planner.add(experiment, &mut plan);
        }
        let comparisons = self.chosen.comparisons.iter();
        let comparisons = comparisons.map(|one| planner.compare(one, &mut plan.jobs));
        let comparisons = comparisons.collect::<Outcome<_>>()?;
        Ok((plan, comparisons))
    }

    /// Makes the runs that are missing, those of the shard where there are shards. Whether all are there then.
    fn make(
        &self,
        plan: &Plan,
        comparisons: &[PlannedComparison],
        runner: Runner<'_>,
    ) -> Outcome<bool> {
        let (args, folder, printer) = (self.args, runner.folder, runner.printer);
        let names = comparisons.iter().flat_map(PlannedComparison::names);
        let names: Vec<&String> = plan.names().chain(names).collect();
        let weight = |job: &Job| estimate::weight(job, self.sets);
        let own: BTreeSet<&String> = match args.shard {
            None => names.iter().copied().collect(),
            Some(shard) => share(&plan.jobs, weight, shard),
        };
        if args.scale == ScaleName::Paper {
            let jobs = plan.jobs.values().filter(|job| own.contains(&job.name));
            estimate::say(jobs, self.sets, runner)?;
            if !args.yes {
                return Err(Failure::usage("nothing was started").hint("--yes goes on"));
            }
        }
        let own = names.into_iter().filter(|name| own.contains(*name));
        let made = job_pool::run(&plan.jobs, own, runner)?;
        let (shard, seconds) = (args.shard, spell(made.seconds));
        let shard = shard.map_or(String::new(), |shard| format!("shard {shard}: "));
        printer.say(format!(
            "{shard}{} runs made, {} were there already, {seconds}",
            made.now, made.before
        ));
        let all = plan.jobs.len();
        let done = plan.jobs.keys().filter(|name| folder.done(name).is_some());
        let done = done.count();
        if done < all {
            printer.say(format!(
                "{done} of {all} runs of all shards are there; the shard that ends last writes the tables, or the same command without --shard"
            ));
        }
        Ok(done == all)
    }

    /// Writes what came out, and compares it with the ranges of the scale `ci`.
    fn write(
        &self,
        plan: &Plan,
        comparisons: &[PlannedComparison],
        runner: Runner<'_>,
        remarks: &[String],
    ) -> Outcome {
        let (args, printer) = (self.args, runner.printer);
        let source = Source {
            description: self.scale,
            sets: self.sets,
            folder: runner.folder,
            scale: args.scale,
            about: self.scale.about(),
            remarks,
            command: &self.command(),
            seeds: self.seeds,
            machine: machine(),
        };
        let results = args.results.clone();
        let results = results.unwrap_or_else(|| runner.folder.results());
        let mut tables = Vec::new();
        for planned in &plan.experiments {
            let mut table = Table::collect(planned, &source)?;
            page::draw(&mut table, runner, &results)?;
            let page = page::write(&table, &results)?;
            printer.document(&page.display().to_string())?;
            tables.push(table);
        }
        for planned in comparisons {
            let about = planned.comparison.about_clips(self.scale);
            let source = Source {
                about,
                ..source.clone()
            };
            let page = Compares::collect(planned, &source)?.write(&results)?;
            printer.document(&page.display().to_string())?;
        }
        match (args.scale, &args.record) {
            (ScaleName::Ci, Some(path)) => {
                write_whole(path, ranges::record(&tables)?.as_bytes())?;
                printer.say(format!("ranges stored in {}", path.display()));
            }
            // Comparisons have no ranges.
            (ScaleName::Ci, None) if !tables.is_empty() => {
                let cells = ranges::check(&tables)?;
                printer.say(format!("{cells} cells are in their ranges"));
            }
            _ => {}
        }
        Ok(())
    }

    /// The command that makes the same tables, without this machine's folders.
    fn command(&self) -> String {
        let args = self.args;
        let mut words = vec!["ssl reproduce".to_owned()];
        words.extend(self.chosen.experiments.iter().map(|one| one.id.clone()));
        words.extend(self.chosen.comparisons.iter().map(|one| one.id.clone()));
        words.push(format!("--scale {}", args.scale.name()));
        for Set { name, .. } in self.sets {
            let described = self.scale.set(name);
            if described.is_some_and(|set| set.made.is_none()) {
                words.push(format!("--data {name}={name}.h5"));
            }
        }
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        words.push(format!("--seeds {}", seeds.join(",")));
        if let Some(share) = args.holdout {
            words.push(format!("--holdout {share}"));
        }
        if let Some(batch) = args.batch {
            let finetune = batch.finetune.map_or(String::new(), |n| format!(",{n}"));
            words.push(format!("--batch {}{finetune}", batch.pretrain));
        }
        words.extend(args.wrong.iter().map(|set| format!("--break {set}")));
        words.join(" ")
    }
}

/// The settings of each set of the scale, and what there is to say of them.
fn bases<'a>(
    args: &ReproduceArgs,
    sets: &'a [ScaleSet],
) -> Outcome<(BTreeMap<&'a str, Base>, Vec<String>)> {
    let changes = args.wrong.iter().map(|typed| Assignment::parse(typed));
    let changes: Vec<Assignment> = changes.collect::<Outcome<_>>()?;
    let (mut bases, mut remarks) = (BTreeMap::new(), Vec::new());
    for set in sets {
        let base = Base::new(set, &changes, args.batch)?;
        // Sets of one preset have the same to say.
        let new = base.remarks.iter().filter(|one| !remarks.contains(*one));
        let new: Vec<String> = new.cloned().collect();
        remarks.extend(new);
        bases.insert(set.name.as_str(), base);
    }
    Ok((bases, remarks))
}

/// The sets that stand for those of the experiments.
fn wanted<'a>(scale: &'a Scale, chosen: &Chosen) -> Vec<&'a str> {
    let cells = chosen.experiments.iter().flat_map(|one| &one.cells);
    let clips = cells.flat_map(|cell| {
        let own = (cell.clips.set.as_str(), cell.clips.train.as_str());
        let other = cell.setup.pretrained_on.as_ref();
        std::iter::once(own).chain(other.map(|(set, train)| (set.as_str(), train.as_str())))
    });
    let stand_ins = clips.filter_map(|(set, train)| scale.stand_in(set, train));
    let compared = scale.compared.iter().map(|one| one.set.as_str());
    let compared = compared.filter(|_| !chosen.comparisons.is_empty());
    stand_ins
        .map(|one| one.set.as_str())
        .chain(compared)
        .collect()
}

/// An experiment of which no cell can be made is refused with the reasons; among others it is left out.
fn refuse_empty(plan: &Plan, printer: &Printer) -> Outcome {
    for planned in &plan.experiments {
        if planned.cells.iter().any(|cell| cell.runs.is_ok()) {
            continue;
        }
        let whys = planned.cells.iter();
        let whys = distinct(whys.filter_map(|cell| cell.runs.as_deref().err()));
        let whys: Vec<&str> = whys.into_iter().map(String::as_str).collect();
        let title = &planned.experiment.title;
        let words = format!("{title} can't be made here: {}", whys.join("; "));
        if plan.experiments.len() == 1 {
            return Err(Failure::usage(words).hint("give other clips, or choose another scale"));
        }
        printer.warn(words);
    }
    Ok(())
}

/// The machine that the program runs on.
fn machine() -> Machine {
    let processor = Some(processor()).filter(|name| !name.is_empty());
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Machine {
        processor: processor.unwrap_or_else(|| "unknown".to_owned()),
        cores: cores().to_string(),
        system: format!("{os} {arch}"),
        rustc: env!("SSL_RUSTC").trim_start_matches("rustc ").to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_chosen_by_name_in_the_order_typed_and_once() {
        let ids = |typed: &[&str]| -> Outcome<Vec<&str>> {
            let typed: Vec<String> = typed.iter().map(|&name| name.to_owned()).collect();
            let chosen = chosen(&typed)?;
            let experiments = chosen.experiments.iter().map(|one| one.id.as_str());
            let comparisons = chosen.comparisons.iter().map(|one| one.id.as_str());
            Ok(experiments.chain(comparisons).collect())
        };
        assert_eq!(ids(&["controls"]).expect("known"), ["controls"]);
        let two = ids(&["table5a", "table4c", "table5a"]).expect("both are known");
        assert_eq!(two, ["table5a", "table4c"]);
        let all = ids(&["all"]).expect("known");
        assert!(all.len() == 13 && all.contains(&"protocols"), "{all:?}");
        let Err(Failure::Usage { message, hint }) = ids(&["table9"]) else {
            panic!("no mistake on the command line")
        };
        assert!(message.contains("`table9`"), "{message}");
        assert!(hint.is_some_and(|hint| hint.contains("table5b")));
    }
}
