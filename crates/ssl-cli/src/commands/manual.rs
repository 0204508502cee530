//! `ssl completions` and `ssl man`: what is typed, for shells and for `man`.

use clap::CommandFactory;

use crate::args::{Cli, CompletionsArgs, ManArgs};
use crate::checkpoint::write_whole;
use crate::failure::{Failure, Outcome};
use crate::printer::Printer;

/// The program's name in both.
const NAME: &str = "ssl";

/// Prints the completions of a shell.
pub fn completions(args: &CompletionsArgs, printer: &Printer) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut text);
    printer.document(String::from_utf8_lossy(&text).trim_end())
}

/// Writes `ssl.1` and an `ssl-COMMAND.1` for each command that is shown.
pub fn pages(args: &ManArgs, printer: &Printer) -> Outcome {
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    let shown = program
        .get_subcommands()
        .filter(|command| !command.is_hide_set());
    for command in std::iter::once(&program).chain(shown) {
        let page = clap_mangen::Man::new(command.clone());
        let path = args.folder.join(page.get_filename());
        let mut text = Vec::new();
        page.render(&mut text).map_err(Failure::io(&path))?;
        write_whole(&path, &text).map_err(|failure| {
            failure.hint("expected a folder that is there: mkdir -p FOLDER makes it")
        })?;
        printer.document(&path.display().to_string())?;
    }
    Ok(())
}
