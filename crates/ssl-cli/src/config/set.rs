//! `--set key.path=value` on a TOML table.

use std::collections::BTreeMap;

use crate::failure::{Failure, Outcome};

/// The key that says which of a closed choice's tables this is.
const KIND: &str = "kind";

/// One `--set`, taken apart.
#[derive(Clone, Debug, PartialEq)]
pub struct Assignment {
    /// As it was typed, for messages.
    pub typed: String,
    /// The keys from the top.
    pub path: Vec<String>,
    /// What to put there.
    pub value: toml::Value,
}

impl Assignment {
    /// Parses `key.path=value`: the value is TOML, and words that are no TOML are strings.
    pub fn parse(typed: &str) -> Outcome<Assignment> {
        let Some((key, value)) = typed.split_once('=') else {
            return Err(Failure::usage(format!("--set {typed}: expected KEY=VALUE"))
                .hint("for example --set pretrain.epochs=10"));
        };
        let path: Vec<String> = key
            .trim()
            .split('.')
            .map(|part| part.trim().to_owned())
            .collect();
        if path.iter().any(String::is_empty) {
            let message = format!("--set {typed}: the key has an empty part");
            return Err(Failure::usage(message).hint("for example --set pretrain.epochs=10"));
        }
        Ok(Assignment {
            typed: typed.to_owned(),
            path,
            value: parse_value(value.trim()),
        })
    }

    /// Whether it chooses a kind, on which the other keys of its table depend.
    pub fn chooses_kind(&self) -> bool {
        self.path.last().is_some_and(|key| key == KIND)
    }

    /// The table it is in, as a path.
    pub fn section(&self) -> String {
        self.path[..self.path.len() - 1].join(".")
    }

    /// Whether its table in `settings` is of a kind.
    pub fn beside_a_kind(&self, settings: &toml::Table) -> bool {
        let mut place = Some(settings);
        for key in &self.path[..self.path.len() - 1] {
            place = place.and_then(|table| table.get(key)?.as_table());
        }
        place.is_some_and(|table| table.contains_key(KIND))
    }

    /// Puts the value into `table`, making the tables on the way. Where it chooses another kind, the settings of the
    /// old one go.
    pub fn apply(&self, table: &mut toml::Table) -> Outcome {
        let (last, above) = self
            .path
            .split_last()
            .expect("`split` yields at least one part");
        let mut place = table;
        for (depth, key) in above.iter().enumerate() {
            let next = place
                .entry(key.clone())
                .or_insert_with(|| toml::Value::Table(toml::Table::new()));
            place = next.as_table_mut().ok_or_else(|| {
                Failure::usage(format!(
                    "--set {}: {} is a value, not a section",
                    self.typed,
                    self.path[..=depth].join(".")
                ))
                .hint("`ssl preset quick` prints sections with their keys")
            })?;
        }
        if self.chooses_kind() && place.get(last).is_some_and(|kind| *kind != self.value) {
            place.clear();
        }
        place.insert(last.clone(), self.value.clone());
        Ok(())
    }
}

fn parse_value(text: &str) -> toml::Value {
    let document = format!("value = {text}");
    let parsed = toml::from_str::<toml::Table>(&document)
        .ok()
        .filter(|table| table.len() == 1);
    match parsed.and_then(|mut table| table.remove("value")) {
        Some(value) => value,
        None => toml::Value::String(text.to_owned()),
    }
}

/// All values in `table` by their dotted paths.
pub fn flat(table: &toml::Table) -> BTreeMap<String, toml::Value> {
    let mut found = BTreeMap::new();
    for (key, value) in table {
        match value {
            toml::Value::Table(inner) => {
                let inner = flat(inner).into_iter();
                found.extend(inner.map(|(path, value)| (format!("{key}.{path}"), value)));
            }
            value => {
                found.insert(key.clone(), value.clone());
            }
        }
    }
    found
}

/// Up to three of `known` that `typed` may have meant: a few letters off, or the same key in
/// another section.
pub fn near(typed: &str, known: &[String]) -> Vec<String> {
    let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
    let mut ranked: Vec<(usize, usize, &String)> = known
        .iter()
        .map(|path| {
            let whole = strsim::damerau_levenshtein(typed, path);
            (
                whole.min(strsim::damerau_levenshtein(&last(typed), &last(path))),
                whole,
                path,
            )
        })
        .filter(|(distance, _, path)| *distance <= (last(path).len() / 2).clamp(1, 3))
        .collect();
    ranked.sort();
    ranked
        .into_iter()
        .take(3)
        .map(|(.., path)| path.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> toml::Value {
        Assignment::parse(&format!("a.b={text}")).unwrap().value
    }

    #[test]
    fn values_are_toml_and_bare_words_are_strings() {
        assert_eq!(value("3"), toml::Value::Integer(3));
        assert_eq!(value("1e-3"), toml::Value::Float(1e-3));
        assert_eq!(value("true"), toml::Value::Boolean(true));
        assert_eq!(
            value("[3, 5]"),
            toml::Value::Array(vec![toml::Value::Integer(3), toml::Value::Integer(5)])
        );
        assert_eq!(value("row"), toml::Value::String("row".into()));
        assert_eq!(value("\"1\""), toml::Value::String("1".into()));
        assert_eq!(value("a=b"), toml::Value::String("a=b".into()));
        assert_eq!(value(""), toml::Value::String(String::new()));
    }

    #[test]
    fn a_value_cannot_smuggle_in_a_second_key() {
        assert!(matches!(value("1\nother = 2"), toml::Value::String(_)));
    }

    #[test]
    fn sections_on_the_way_are_made_but_values_are_not_overrun() {
        let mut table = toml::Table::new();
        Assignment::parse("a.b.c=1")
            .unwrap()
            .apply(&mut table)
            .unwrap();
        assert_eq!(flat(&table).into_keys().collect::<Vec<_>>(), ["a.b.c"]);
        let refused = Assignment::parse("a.b.c.d=1")
            .unwrap()
            .apply(&mut table)
            .unwrap_err();
        refused.assert_says("a.b.c is a value");
    }

    #[test]
    fn another_kind_takes_the_old_ones_settings_along() {
        let mut table: toml::Table = toml::from_str("a = { kind = \"x\", of_x = 1 }").unwrap();
        let mut set = |typed: &str| {
            let set = Assignment::parse(typed).unwrap();
            set.apply(&mut table).unwrap();
            flat(&table).into_keys().collect::<Vec<_>>()
        };
        assert_eq!(set("a.kind=x"), ["a.kind", "a.of_x"], "the same kind");
        assert_eq!(set("a.kind=y"), ["a.kind"]);
    }

    #[test]
    fn near_keys_are_a_slip_of_the_finger_away() {
        let known = [
            "pretrain.epochs",
            "pretrain.batch",
            "finetune.epochs",
            "run.seed",
        ]
        .map(String::from);
        assert_eq!(
            near("pretrain.epoch", &known),
            ["pretrain.epochs", "finetune.epochs"]
        );
        assert_eq!(near("batch", &known), ["pretrain.batch"]);
        assert!(near("pretrain.nonsense", &known).is_empty());
    }
}
