//! What `ssl predict` says.

use serde::Serialize;
use strl::ranking;

/// One clip of `ssl predict`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// The clip.
    pub id: String,
    /// The likeliest classes, likeliest first; none of a clip without anybody.
    pub top: Option<Vec<Guess>>,
}

/// A class with its probability.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guess {
    /// The class's number.
    pub class: usize,
    /// Its name.
    pub name: String,
    /// Its probability.
    pub p: f64,
}

impl Prediction {
    /// The `most` likeliest of `probabilities`; equal ones in the order of their numbers.
    pub fn new(id: String, probabilities: &[f64], classes: &[String], most: usize) -> Prediction {
        let guess = |class: usize| {
            let name = classes
                .get(class)
                .cloned()
                .unwrap_or_else(|| class.to_string());
            Guess {
                class,
                name,
                p: probabilities[class],
            }
        };
        Prediction {
            id,
            top: Some(
                ranking(probabilities)
                    .into_iter()
                    .take(most)
                    .map(guess)
                    .collect(),
            ),
        }
    }

    /// One line: the clip, then its classes.
    pub fn text(&self) -> String {
        let Some(top) = &self.top else {
            return format!("{}\t-", self.id);
        };
        let guesses: Vec<String> = top
            .iter()
            .map(|guess| format!("{} {:.3}", guess.name, guess.p))
            .collect();
        format!("{}\t{}", self.id, guesses.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guesses_are_likeliest_first_and_keep_their_numbers() {
        let classes = ["a", "b", "c"].map(String::from);
        let prediction = Prediction::new("clip".into(), &[0.25, 0.5, 0.25], &classes, 2);
        assert_eq!(prediction.text(), "clip\tb 0.500, a 0.250");
        let document = serde_json::to_value(&prediction).unwrap();
        assert_eq!(
            document,
            serde_json::json!({"id": "clip", "top": [
            {"class": 1, "name": "b", "p": 0.5}, {"class": 0, "name": "a", "p": 0.25}]})
        );
    }
}
