//! `ssl preset` and `ssl layout`: what the program has built in, to start one's own from.

use skeleton_graph::Layout;

use crate::args::{LayoutArgs, PresetArgs};
use crate::config::{PRESETS, Preset};
use crate::failure::Outcome;
use crate::printer::Printer;

/// Prints a preset, or lists them.
pub fn preset(args: &PresetArgs, printer: &Printer) -> Outcome {
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

/// Prints a layout, or lists them.
pub fn layout(args: &LayoutArgs, printer: &Printer) -> Outcome {
    if let Some(name) = &args.name {
        return printer.document(&Layout::built_in(name)?.to_toml());
    }
    let mut lines = Vec::new();
    for name in Layout::BUILT_IN {
        let layout = Layout::built_in(name)?;
        let joints = layout.joints();
        let (first, last) = (&joints[0], &joints[joints.len() - 1]);
        lines.push(format!(
            "{name:14}  {:3} joints, {first} to {last}",
            layout.len()
        ));
    }
    printer.document(&lines.join("\n"))
}
