//! Reads what `ssl evaluate --json` writes and lists the classes, the hardest first.
//!
//! ```sh
//! ssl evaluate runs/finetune --data synthetic.h5 --split val --json | cargo run --release -p ssl-cli --example hardest
//! ```

use std::error::Error;

/// The keys of the document that this program needs; it has more.
#[derive(serde::Deserialize)]
struct Evaluation {
    /// Clips by true class (rows) and guessed class (columns).
    confusion: Vec<Vec<u64>>,
    classes: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let measured: Evaluation = serde_json::from_reader(std::io::stdin().lock())?;
    let mut classes: Vec<(f64, &str)> = Vec::new();
    for (k, (row, name)) in measured.confusion.iter().zip(&measured.classes).enumerate() {
        let clips: u64 = row.iter().sum();
        if clips > 0 {
            classes.push((row[k] as f64 / clips as f64, name));
        }
    }
    classes.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (right, name) in classes {
        println!("{:5.1} %  {name}", 100.0 * right);
    }
    Ok(())
}
