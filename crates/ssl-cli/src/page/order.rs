//! Orders of classes in which a confusion matrix is looked at.

use serde::Serialize;

/// Classes by their numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Orders {
    /// As in the data set.
    pub number: Vec<usize>,
    /// By name.
    pub name: Vec<usize>,
    /// The worst first.
    pub accuracy: Vec<usize>,
    /// Those beside each other that are taken for each other.
    pub similarity: Vec<usize>,
}

impl Orders {
    /// Of a confusion matrix, rows the truth.
    pub fn of(names: &[String], confusion: &[Vec<u64>]) -> Orders {
        let number: Vec<usize> = (0..confusion.len()).collect();
        let mut name = number.clone();
        name.sort_by_key(|&class| names.get(class).map(|name| name.to_lowercase()));
        let share = |class: usize| {
            let all: u64 = confusion[class].iter().sum();
            // A class without clips comes last.
            match all {
                0 => 2.0,
                all => confusion[class][class] as f64 / all as f64,
            }
        };
        let mut accuracy = number.clone();
        accuracy.sort_by(|&a, &b| share(a).total_cmp(&share(b)));
        Orders {
            similarity: chain(confusion),
            number,
            name,
            accuracy,
        }
    }
}

/// A chain that begins with the two classes most alike and goes on, at either end, with the class most like the one there.
/// Classes that are taken for none in the chain follow in their order.
fn chain(confusion: &[Vec<u64>]) -> Vec<usize> {
    let k = confusion.len();
    let of: Vec<f64> = confusion
        .iter()
        .map(|row| row.iter().sum::<u64>().max(1) as f64)
        .collect();
    let alike =
        |a: usize, b: usize| confusion[a][b] as f64 / of[a] + confusion[b][a] as f64 / of[b];
    let pairs = (0..k).flat_map(|a| (a + 1..k).map(move |b| (a, b)));
    // Of equally alike ones the first.
    let most = pairs.fold(
        None,
        |most: Option<(f64, usize, usize)>, (a, b)| match most {
            Some((best, ..)) if alike(a, b) <= best => most,
            _ => Some((alike(a, b), a, b)),
        },
    );
    let Some((_, a, b)) = most else {
        return (0..k).collect();
    };
    let mut chain = std::collections::VecDeque::from([a, b]);
    let mut left: Vec<usize> = (0..k).filter(|class| ![a, b].contains(class)).collect();
    while !left.is_empty() {
        let ends = [chain[0], chain[chain.len() - 1]];
        let (mut best, mut at, mut end) = (0.0, 0, 1);
        for (place, &class) in left.iter().enumerate() {
            for (side, &last) in ends.iter().enumerate() {
                if alike(class, last) > best {
                    (best, at, end) = (alike(class, last), place, side);
                }
            }
        }
        let class = left.remove(at);
        match end {
            0 => chain.push_front(class),
            _ => chain.push_back(class),
        }
    }
    chain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_by_name_by_accuracy_and_by_likeness() {
        let names = ["walk", "Clap", "run", "sit"].map(str::to_owned);
        // walk and run are taken for each other, run now and then for sit; nobody claps.
        let confusion = vec![
            vec![5, 0, 5, 0],
            vec![0, 0, 0, 0],
            vec![4, 0, 5, 1],
            vec![0, 0, 0, 9],
        ];
        let orders = Orders::of(&names, &confusion);
        assert_eq!(orders.name, [1, 2, 3, 0]);
        assert_eq!(orders.accuracy, [0, 2, 3, 1]);
        assert_eq!(orders.similarity, [0, 2, 3, 1]);
        let one = Orders::of(&names[..1], &[vec![3]]);
        assert_eq!((one.similarity, one.name), (vec![0], vec![0]));
    }
}
