//! What can be typed. Help texts are the manual: each command shows its options with an example.

#[cfg(test)]
mod documents;
mod looking;
mod preparing;
mod reproduce;
mod scoring;
mod training;
mod watching;

use clap::{ArgAction, Args, Parser, Subcommand};

pub use self::looking::{
    CompletionsArgs, DoctorArgs, ExportArgs, ImportArgs, InfoArgs, InspectArgs, LayoutArgs,
    ManArgs, PresetArgs, ReconstructArgs, ReportArgs, RepresentArgs, ZooArgs,
};
pub use self::preparing::{AboutArgs, ConvertArgs, PrepareArgs, RecordingsArgs};
pub use self::reproduce::{Batch, ReproduceArgs, ScaleName, Shard};
pub use self::scoring::{EvaluateArgs, FuseArgs, PredictArgs, StreamArgs, SummaryArgs};
pub use self::training::{
    FinetuneArgs, PretrainArgs, ProbeArgs, ProbeMethod, RunArgs, SettingsArgs,
};
pub use self::watching::{RunsArgs, TensorboardArgs, WatchArgs};
use crate::failure::Outcome;
use crate::machine::{Device, Machine, Precision};
use crate::printer::Printer;

/// SkeletonMAE pre-training and STRL fine-tuning on skeleton sequences.
#[derive(Debug, Parser)]
#[command(name = "ssl", version, about, propagate_version = true, after_help = WALK)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,

    /// Print only results, warnings and errors.
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        help_heading = "Everywhere"
    )]
    pub quiet: bool,

    /// More log lines on stderr (-v: info, -vv: debug); the variable SSL_LOG takes a tracing filter
    /// instead.
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Everywhere")]
    pub verbose: u8,
}

const WALK: &str = "\
From nothing to a classifier, on the embedded synthetic set:
  ssl prepare --dataset synthetic -o synthetic.h5
  ssl doctor synthetic.h5
  ssl pretrain --preset quick --data synthetic.h5 --split train --val val --out runs/pretrain
  ssl finetune --preset quick --data synthetic.h5 --train train --encoder runs/pretrain --out runs/finetune
  ssl evaluate runs/finetune --data synthetic.h5 --split val

Exit codes: 0 success, 1 error, 2 wrong usage, 130 and 143 stopped by SIGINT and SIGTERM.";

/// The commands, in the order in which they are used.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Make an HDF5 cache from a file of clips or from the embedded synthetic set.
    Prepare(PrepareArgs),
    /// Turn clips from one form into another: pickle, .npz, JSON lines, cache.
    Convert(ConvertArgs),
    /// Say what a cache holds, check it, and draw its clips.
    Inspect(InspectArgs),
    /// Look for what would make training fail, or its results lie.
    Doctor(DoctorArgs),
    /// Pre-train a SkeletonMAE on clips without looking at their labels.
    Pretrain(PretrainArgs),
    /// Train the STRL classifier, from a pre-trained encoder or from scratch.
    Finetune(FinetuneArgs),
    /// Measure what a frozen encoder knows: a linear probe, or nearest neighbours.
    Probe(ProbeArgs),
    /// Measure a fine-tuned classifier on a split.
    Evaluate(EvaluateArgs),
    /// Measure the weighted mean of several models' scores.
    Fuse(FuseArgs),
    /// Mean and deviation of runs that differ in the seed.
    Summary(SummaryArgs),
    /// List the runs below a folder with their key numbers.
    Runs(RunsArgs),
    /// Show a run under way until it ends.
    Watch(WatchArgs),
    /// Write what TensorBoard shows of runs.
    Tensorboard(TensorboardArgs),
    /// Say which class each clip shows.
    Predict(PredictArgs),
    /// Write what a model sees in clips, and draw them by it.
    Represent(RepresentArgs),
    /// Draw a clip with joints hidden and what a pre-trained model puts in their place.
    Reconstruct(ReconstructArgs),
    /// Make a page of runs to look at: curves, classes, mistakes, representations, reconstructions.
    Report(ReportArgs),
    /// Print a model's card: layout, classes, parameters, cost, training, metrics.
    Info(InfoArgs),
    /// Make a checkpoint of weights from elsewhere.
    Import(ImportArgs),
    /// Write a classifier for other runtimes, as an ONNX file.
    Export(ExportArgs),
    /// Make the paper's tables and figures.
    Reproduce(ReproduceArgs),
    /// Print a preset; without a name, list them.
    Preset(PresetArgs),
    /// Print a layout of joints; without a name, list them.
    Layout(LayoutArgs),
    /// Print the card of an encoder that comes with the program; without a name, list them.
    Zoo(ZooArgs),
    /// Print what makes a shell complete commands and options.
    Completions(CompletionsArgs),
    /// Write manual pages, one a command.
    #[command(hide = true)]
    Man(ManArgs),
}

/// Where the arithmetic happens.
#[derive(Clone, Copy, Debug, Default, Args)]
#[command(next_help_heading = "Machine")]
pub struct MachineArgs {
    /// What computes: cpu, cuda (or cuda:1, the second GPU), metal, or auto, the first GPU if there is one [default: cpu, or
    /// what the settings say].
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<Device>,

    /// The type of features and their products; tf32 and bf16 are faster and need a GPU [default: f32, or what the settings
    /// say].
    #[arg(long, value_enum)]
    pub precision: Option<Precision>,

    /// Threads to compute with [default: one a core]; results don't depend on it.
    #[arg(long, value_name = "N", value_parser = positive())]
    pub threads: Option<u16>,
}

impl MachineArgs {
    /// Starts the machine of a command that has no settings.
    pub fn start(self, printer: &Printer) -> Outcome<Machine> {
        let device = self.device.unwrap_or_default().settled(printer);
        Machine::start(device, self.precision.unwrap_or_default(), self.threads)
    }
}

/// How many clips a model computes at once, and where.
#[derive(Clone, Copy, Debug, Args)]
pub struct ComputeArgs {
    /// Clips computed together.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = positive())]
    pub batch: u16,

    #[command(flatten)]
    pub machine: MachineArgs,
}

/// The same where each clip may be seen several times.
#[derive(Clone, Copy, Debug, Args)]
pub struct ViewsArgs {
    /// Views of each clip whose class probabilities are averaged [default: the checkpoint's
    /// reading.clips]; more than one needs uniform sampling.
    #[arg(long, value_name = "N", value_parser = positive())]
    pub clips: Option<u16>,

    /// Clips (or views of clips) computed together.
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = positive())]
    pub batch: u16,

    #[command(flatten)]
    pub machine: MachineArgs,
}

/// A count of something that must be there.
fn positive() -> clap::builder::RangedI64ValueParser<u16> {
    clap::value_parser!(u16).range(1..)
}

/// TOML's integers are signed, and every seed must fit in the saved config.
fn seed() -> clap::builder::RangedU64ValueParser<u64> {
    clap::value_parser!(u64).range(..=i64::MAX as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn settings_come_from_a_preset_or_a_file_but_not_both() {
        let parse = |words: &str| Cli::try_parse_from(words.split(' '));
        assert!(parse("ssl pretrain --preset quick --out x").is_ok());
        assert!(parse("ssl pretrain --config x.toml --out x").is_ok());
        // None at all is for --resume, and refused where the settings are resolved.
        assert!(parse("ssl pretrain --out x --resume").is_ok());
        assert!(parse("ssl pretrain --preset quick --out x --resume --overwrite").is_err());
        assert!(parse("ssl pretrain --preset quick --config x.toml --out x").is_err());
    }
}
