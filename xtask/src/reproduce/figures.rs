//! Drawings: most are `ssl`'s, bars are drawn here.

use std::path::Path;
use std::process::Stdio;

use skeleton_datasets::paper::Shows;

use super::bars::bars;
use super::data::Set;
use super::job::{Folder, write_whole};
use super::report::Table;
use super::ssl::Ssl;
use crate::process::{Failure, run};

/// Draws what the experiment shows into `results` and notes the files' names in the table.
pub fn draw(
    table: &mut Table<'_>,
    ssl: &Ssl,
    sets: &[Set],
    folder: &Folder,
    results: &Path,
) -> Result<(), Failure> {
    std::fs::create_dir_all(results)
        .map_err(|e| Failure::Task(format!("cannot make {}: {e}", results.display())))?;
    let name = table.name();
    let file = |ending: &str| format!("{name}{ending}.svg");
    if table.planned.experiment.shows == Shows::Bars {
        if table.rows.iter().any(|row| row.numbers.is_ok()) {
            write_whole(&results.join(file("")), bars(table).as_bytes())?;
            table.drawings.push(file(""));
        }
        return Ok(());
    }
    // The first seed of the first cell that was made.
    let made = table.planned.cells.iter().find_map(|cell| {
        let runs = cell.runs.as_ref().ok()?.first()?;
        let clips = cell.clips.as_ref()?;
        let set = sets.iter().find(|set| set.name == clips.set)?;
        Some((runs, clips, set))
    });
    let Some((runs, clips, set)) = made else {
        return Ok(());
    };
    let result = Some(&runs.result);
    let pretrain = runs.pretrain.as_ref();
    let drawings: &[(&str, Option<&String>, &str)] = match table.planned.experiment.shows {
        Shows::Representations => &[
            ("represent", pretrain, "-pretrained"),
            ("represent", result, "-finetuned"),
        ],
        Shows::Confusion => &[("evaluate", result, "")],
        Shows::Reconstructions => &[("reconstruct", pretrain, "")],
        _ => &[],
    };
    for (command, of, ending) in drawings {
        let Some(of) = of else { continue };
        let svg = file(ending);
        let mut command = ssl.command([command]);
        command.arg(folder.run(of)).arg("--data").arg(&set.path);
        command
            .args(["--split", &clips.test, "--overwrite", "--quiet", "--svg"])
            .arg(results.join(&svg));
        run(command.stdout(Stdio::null()))?;
        table.drawings.push(svg);
    }
    Ok(())
}
