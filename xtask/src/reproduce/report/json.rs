//! For programs.

use serde_json::{Map, Value, json};

use super::{Row, Table};

impl Table<'_> {
    /// Everything that is known of it.
    pub fn json(&self) -> String {
        let machine: Map<String, Value> = self
            .machine
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        let sets: Vec<Value> = self
            .sets
            .iter()
            .map(|set| json!({ "name": set.name, "dataset": set.facts.dataset, "layout": set.facts.layout, "splits": set.facts.splits, "digest": set.facts.digest }))
            .collect();
        let value = json!({
            "experiment": self.planned.experiment.id,
            "title": self.planned.experiment.title,
            "scale": self.scale.name(),
            "about": self.about.trim(),
            "note": self.planned.experiment.note,
            "remarks": self.remarks,
            "command": self.command,
            "seeds": self.seeds,
            "commits": self.commits,
            "machine": machine,
            "data": sets,
            "drawings": self.drawings,
            "seconds": self.seconds(),
            "cells": self.rows.iter().map(cell).collect::<Vec<_>>(),
            "runs": self.runs,
        });
        let mut text = serde_json::to_string_pretty(&value).expect("strings and numbers are JSON");
        text.push('\n');
        text
    }
}

fn cell(row: &Row<'_>) -> Value {
    let cell = row.planned.cell;
    let numbers = row.numbers.as_ref().ok();
    let values: Option<Vec<Value>> = numbers.map(|numbers| {
        let one = |value: &crate::reproduce::numbers::Seeded| {
            json!({
                "seed": value.seed, "accuracy": value.accuracy, "best_by_held_out": value.best, "clips": value.clips,
                "pretraining_loss": value.pretext.map(|pretext| pretext.loss),
                "reconstruction": value.pretext.and_then(|pretext| pretext.reconstruction),
            })
        };
        numbers.values.iter().map(one).collect()
    });
    let runs = row.planned.runs.as_ref().ok().map(|runs| {
        let one = |runs: &crate::reproduce::plan::CellRuns| json!({ "seed": runs.seed, "pretrain": runs.pretrain, "result": runs.result });
        runs.iter().map(one).collect::<Vec<_>>()
    });
    json!({
        "row": cell.row,
        "column": cell.column,
        "measured_on": row.clips(),
        "mean": numbers.map(super::Numbers::mean),
        "std": numbers.and_then(super::Numbers::std),
        "values": values,
        "paper": cell.value,
        "paper_data": format!("{} {}", cell.clips.set, cell.clips.test),
        "difference": row.difference(),
        "not_made": row.numbers.as_ref().err(),
        "runs": runs,
    })
}
