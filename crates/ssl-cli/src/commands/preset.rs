//! `ssl preset`

use crate::args::PresetArgs;
use crate::config::{PRESETS, Preset};
use crate::failure::Outcome;
use crate::printer::Printer;

/// Prints a preset, or lists them.
pub fn run(args: &PresetArgs, printer: &Printer) -> Outcome {
    match &args.name {
        Some(name) => printer.document(Preset::find(name)?.text),
        None => {
            let lines: Vec<String> = PRESETS
                .iter()
                .map(|preset| format!("{:8}  {}", preset.name, preset.about()))
                .collect();
            printer.document(&lines.join("\n"))
        }
    }
}
