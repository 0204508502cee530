//! What `ssl pretrain` and `ssl finetune` share: from what was typed to the last epoch.

use std::time::Duration;

use super::take;
use crate::args::{RunArgs, SettingsArgs};
use crate::config::{Config, RunSection};
use crate::failure::Outcome;
use crate::outputs::beside;
use crate::printer::Printer;
use crate::run::{Resumed, Run};
use crate::signal::Interrupt;
use crate::train::{Session, Task};

/// Trains in a run folder. `flags` puts the command's own flags into the settings, `next` is the command to type then.
pub fn run<T: Task>(
    (typed, args): (&SettingsArgs, &RunArgs),
    flags: impl FnOnce(&mut RunSection),
    next: impl FnOnce(&Config) -> String,
    printer: &Printer,
    interrupt: &Interrupt,
) -> Outcome {
    let resumed = Resumed::find(args, T::KIND, printer)?;
    let settings = settings(typed, resumed.as_ref());
    let config = Config::resolve(&settings, T::KIND, |run| {
        take(&args.data, &mut run.data);
        run.seed = args.seed.unwrap_or(run.seed);
        run.on(args.machine, printer);
        flags(run);
    })?;
    if resumed.is_none() {
        let inputs = config.run.data.iter().chain(&config.run.encoder);
        beside(&args.out, inputs)?;
        Run::check(&args.out, args.overwrite)?;
    }
    let mut training = T::set_up(&config, printer, interrupt)?;
    let (info, now) = (training.info(), |epochs| training.meta(epochs));
    let (mut run, state) = Run::open(resumed, args, &config, &info, now, printer)?;
    training.announce(printer)?;
    let mut session = Session {
        run: &mut run,
        printer,
        interrupt,
        epochs: training.setup.settings.epochs,
        clips: training.setup.train.len(),
        save_every: Duration::from_secs(args.save_every),
    };
    let trained = session.train(&mut training, state);
    trained.map_err(|failure| match failure.is_out_of_memory() {
        true => training
            .setup
            .step
            .out_of_memory(&training.setup.feeds.machine),
        false => failure,
    })?;
    T::finish(&training, &run, printer)?;
    printer.document(&format!("checkpoint: {}", run.checkpoint_path().display()))?;
    printer.document(&format!("next: {}", next(&config)))
}

/// The settings as typed; those of the run that goes on where none are.
fn settings(typed: &SettingsArgs, resumed: Option<&Resumed>) -> SettingsArgs {
    let mut settings = typed.clone();
    if let Some(resumed) = resumed
        && settings.preset.is_none()
        && settings.config.is_none()
    {
        settings.config = Some(resumed.config());
    }
    settings
}
