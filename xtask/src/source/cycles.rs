//! Cycles among things that depend on each other.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// For each edge that is in a cycle, the shortest cycle with it, once. A cycle begins with its least name.
pub fn shortest_cycles(edges: &BTreeSet<(&str, &str)>) -> BTreeSet<Vec<String>> {
    let mut after: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in edges {
        after.entry(from).or_default().push(to);
    }
    let cycles = edges
        .iter()
        .filter_map(|(from, to)| shortest_path(&after, to, from));
    cycles.map(from_least).collect()
}

/// The names from `start` to `end`, both included, by the fewest edges.
fn shortest_path<'a>(
    after: &BTreeMap<&'a str, Vec<&'a str>>,
    start: &'a str,
    end: &str,
) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::from([(start, start)]);
    let mut waiting = VecDeque::from([start]);
    while let Some(name) = waiting.pop_front() {
        if name == end {
            let mut path = vec![name];
            let mut at = name;
            while at != start {
                at = before[at];
                path.push(at);
            }
            path.reverse();
            return Some(path);
        }
        for next in after.get(name).into_iter().flatten() {
            if !before.contains_key(next) {
                before.insert(next, name);
                waiting.push_back(next);
            }
        }
    }
    None
}

fn from_least(mut cycle: Vec<&str>) -> Vec<String> {
    let least = cycle.iter().enumerate().min_by_key(|(_, name)| **name);
    let at = least.map_or(0, |(at, _)| at);
    cycle.rotate_left(at);
    cycle.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cycles(edges: &[(&str, &str)]) -> Vec<String> {
        let found = shortest_cycles(&edges.iter().copied().collect());
        found.iter().map(|cycle| cycle.join(" ")).collect()
    }

    #[test]
    fn cycles_of_two_and_of_more_are_found_once() {
        assert_eq!(cycles(&[("a", "b"), ("b", "a"), ("b", "c")]), ["a b"]);
        assert_eq!(cycles(&[("c", "a"), ("b", "c"), ("a", "b")]), ["a b c"]);
        let both = [("a", "b"), ("b", "a"), ("b", "c"), ("c", "d"), ("d", "a")];
        assert_eq!(cycles(&both), ["a b", "a b c d"]);
        assert_eq!(cycles(&[("a", "a")]), ["a"]);
    }

    #[test]
    fn without_a_cycle_there_is_none() {
        let edges = [("a", "b"), ("b", "c"), ("a", "c"), ("d", "c")];
        assert_eq!(cycles(&edges), [""; 0]);
    }
}
