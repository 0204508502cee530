//! Drawings of an experiment: the program's own commands draw most.

use std::path::Path;

use skeleton_datasets::paper::Shows;

use super::job_pool::Runner;
use super::table::Table;
use crate::checkpoint::write_whole;
use crate::failure::{Failure, Outcome};
use crate::report::{Bar, Bars, bars_svg};

/// Draws what the experiment shows into `results` and notes the files' names in the table.
pub fn draw(table: &mut Table<'_>, runner: Runner<'_>, results: &Path) -> Outcome {
    std::fs::create_dir_all(results).map_err(Failure::io(results))?;
    let name = table.name();
    let file = |ending: &str| format!("{name}{ending}.svg");
    if table.planned.experiment.shows == Shows::Bars {
        if table.cells.iter().any(|cell| cell.numbers.is_some()) {
            write_whole(&results.join(file("")), bars(table).as_bytes())?;
            table.drawings.push(file(""));
        }
        return Ok(());
    }
    // The first seed of the first cell that was made.
    let made = table.planned.cells.iter().find_map(|cell| {
        let runs = cell.runs.as_ref().ok()?.first()?;
        let clips = cell.clips.as_ref()?;
        let set = table.data.iter().find(|set| set.name == clips.set)?;
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
        let mut command = runner.program.command(command);
        command
            .arg(runner.folder.run(of))
            .arg("--data")
            .arg(&set.path);
        command.args(["--split", &clips.test, "--overwrite", "--svg"]);
        runner.program.run(command.arg(results.join(&svg)))?;
        table.drawings.push(svg);
    }
    Ok(())
}

/// Accuracies as bars. Cells that were not made leave a gap.
pub fn bars(table: &Table<'_>) -> String {
    let (rows, columns) = table.axes(|cell| cell.numbers.is_some());
    let bar = |row: &str, column: &str| {
        let numbers = table.at(row, column)?.numbers.as_ref()?;
        Some(Bar {
            mean: numbers.mean,
            deviation: numbers.std.unwrap_or(0.0),
        })
    };
    let row = |name: &&str| {
        let cell = table.cells.iter().find(|cell| cell.row == *name);
        let measured = cell.map_or("", |cell| &cell.measured_on);
        let bars = columns.iter().map(|column| bar(name, column)).collect();
        (format!("{name} (ours: {measured})"), bars)
    };
    bars_svg(&Bars {
        title: format!("{}, scale {}", table.title, table.source.scale.name()),
        rows: rows.iter().map(row).collect(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
    })
}
