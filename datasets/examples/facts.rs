//! Prints what is known of a data set: `cargo run -p skeleton-datasets --example facts -- NAME`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let wanted = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "nw_ucla".to_owned());
    let Some(set) = skeleton_datasets::find(&wanted) else {
        let names: Vec<&str> = skeleton_datasets::all()
            .iter()
            .map(|set| set.name.as_str())
            .collect();
        eprintln!(
            "no data set is called {wanted:?}; there are {}",
            names.join(", ")
        );
        return ExitCode::FAILURE;
    };
    println!(
        "{}: {}D, {}, in {}",
        set.title, set.coordinates, set.layout, set.units
    );
    println!("{}", set.source.distribution);
    for split in &set.splits {
        let clips = split
            .clips
            .map_or("?".to_owned(), |clips| clips.to_string());
        println!(
            "{:<17} {clips:>6} {}",
            split.name,
            split.note.as_deref().unwrap_or("")
        );
    }
    for note in &set.notes {
        println!("- {note}");
    }
    println!("{}", set.classes.join("; "));
    ExitCode::SUCCESS
}
