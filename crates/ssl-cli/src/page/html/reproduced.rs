//! The page of a reproduction: tables with ours beside the paper's numbers.

use maud::{Markup, html};
use serde::Serialize;

use super::{page, scrolling, word};

/// All tables of a folder.
#[derive(Debug, Serialize)]
pub struct Tables {
    /// The folder.
    pub folder: String,
    pub tables: Vec<Gridded>,
    /// No set and no run: the script has nothing to draw.
    pub sets: [(); 0],
    pub runs: [(); 0],
}

/// A table.
#[derive(Debug, Serialize)]
pub struct Gridded {
    /// Of the file, such as `table5a-small`.
    pub name: String,
    pub title: String,
    /// What the numbers mean, in paragraphs.
    pub words: Vec<String>,
    /// The command that makes it again.
    pub command: String,
    /// Where it was made, as names and values.
    pub provenance: Vec<(String, String)>,
    pub grids: Vec<Grid>,
}

/// A part of a table, such as a protocol of a comparison.
#[derive(Debug, Serialize)]
pub struct Grid {
    pub title: Option<String>,
    /// What the cells' intervals are.
    pub intervals: &'static str,
    pub cells: Vec<Cell>,
}

/// One number.
#[derive(Debug, Serialize)]
pub struct Cell {
    pub row: String,
    pub column: String,
    pub measured_on: String,
    /// Percent; none where it was not made.
    pub ours: Option<f64>,
    /// Where it begins and ends, in percent.
    pub interval: Option<(f64, f64)>,
    /// What the interval is of.
    pub of: String,
    /// Runs.
    pub n: usize,
    pub paper: Option<f64>,
    /// Ours less the paper's, or what it is compared with, with its interval.
    pub difference: Option<(f64, Option<(f64, f64)>)>,
    pub not_made: Option<String>,
    /// Names of runs, with the places they are at from the page.
    pub runs: Vec<(String, Option<String>)>,
}

/// The page.
pub fn reproduced(tables: &Tables) -> String {
    let nav = tables
        .tables
        .iter()
        .map(|table| (table.name.clone(), table.title.clone()));
    let nav: Vec<(String, String)> = nav.collect();
    let body = html! { @for table in &tables.tables { (one(table)) } };
    page(
        &format!("Reproduction in {}", tables.folder),
        &nav,
        &body,
        tables,
    )
}

fn one(table: &Gridded) -> Markup {
    html! {
        section id=(table.name) aria-labelledby={ (table.name) "-title" } {
            h2 id={ (table.name) "-title" } { (word(&table.title)) }
            @for words in &table.words { p { (word(words)) } }
            @for grid in &table.grids { (part(table, grid)) }
            p { "The command that makes it again:" }
            pre tabindex="0" { code { (skeleton_data::draw::plain(&table.command)) } }
            dl.facts { @for (name, value) in &table.provenance { dt { (name) } dd { (word(value)) } } }
        }
    }
}

fn part(table: &Gridded, grid: &Grid) -> Markup {
    let paper = grid.cells.iter().any(|cell| cell.paper.is_some());
    let most = grid
        .cells
        .iter()
        .filter_map(|cell| cell.ours)
        .fold(1.0, f64::max);
    let markup = html! {
        table {
            thead { tr {
                th scope="col" { "row" } th scope="col" { "column" } th scope="col" { "measured on" }
                th.number scope="col" { "ours, %" } th scope="col" { span.hidden { "as a bar" } }
                th.number scope="col" { (grid.intervals) } th.number scope="col" { "runs" }
                @if paper { th.number scope="col" { "paper, %" } }
                th.number scope="col" { "difference" } th scope="col" { "its runs" }
            } }
            tbody { @for cell in &grid.cells { (row(cell, paper, most)) } }
        }
    };
    html! {
        @if let Some(title) = &grid.title { h3 { (word(title)) } }
        (scrolling(grid.title.as_deref().unwrap_or(&table.title), &markup))
    }
}

fn row(cell: &Cell, paper: bool, most: f64) -> Markup {
    html! {
        tr {
            th scope="row" { (word(&cell.row)) }
            td { (word(&cell.column)) }
            td { (word(&cell.measured_on)) }
            @if let Some(ours) = cell.ours {
                td.number { (format!("{ours:.1}")) }
                td.bars { (super::bar(ours / most)) }
            } @else {
                td colspan="2" { "not made: " (word(cell.not_made.as_deref().unwrap_or("no run"))) }
            }
            td.number {
                @if let Some((low, high)) = cell.interval { span title=(cell.of) { (format!("{low:.1} to {high:.1}")) } }
            }
            td.number { (cell.n) }
            @if paper { td.number { @if let Some(paper) = cell.paper { (format!("{paper:.1}")) } @else { "not known" } } }
            td.number {
                @if let Some((difference, interval)) = cell.difference {
                    (format!("{difference:+.1}"))
                    @if let Some((low, high)) = interval { " " span.interval { (format!("({low:+.1} to {high:+.1})")) } }
                }
            }
            td {
                @if !cell.runs.is_empty() {
                    details.small { summary { (crate::report::count(cell.runs.len(), "run")) }
                        ul { @for (name, place) in &cell.runs { li {
                            @match place { Some(place) => a href=(place) { (word(name)) }, None => (word(name)) }
                        } } }
                    }
                }
            }
        }
    }
}
