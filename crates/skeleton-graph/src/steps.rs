//! The steps of an epoch: which clips an update is by. Like [`random`](crate::random) it has nothing to do with graphs, and stands
//! here because this is the crate below data and models.

/// Splits `order` into steps of about `batch` clips, and each into micro-batches of at most
/// `micro_batch`. The parts are as equal as they can be: no clip is dropped and no step is tiny, which
/// `BatchNorm`'s statistics would suffer from.
pub fn plan(order: &[u32], batch: usize, micro_batch: usize) -> Vec<Vec<Vec<u32>>> {
    let steps = even(
        order,
        (order.len() as f64 / batch.max(1) as f64).round().max(1.0) as usize,
    );
    let micro = |step: &[u32]| {
        let parts = even(step, step.len().div_ceil(micro_batch.max(1)));
        parts.into_iter().map(<[u32]>::to_vec).collect()
    };
    steps
        .into_iter()
        .filter(|step| !step.is_empty())
        .map(micro)
        .collect()
}

/// `parts` slices whose lengths differ by one at most.
fn even(order: &[u32], parts: usize) -> Vec<&[u32]> {
    let at = |i: usize| i * order.len() / parts;
    (0..parts).map(|i| &order[at(i)..at(i + 1)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_even_and_drop_no_clip() {
        for (n, batch, micro) in [
            (433, 32, 32),
            (433, 16, 5),
            (7, 16, 16),
            (100, 100, 33),
            (1, 1, 1),
        ] {
            let order: Vec<u32> = (0..n).collect();
            let plan = plan(&order, batch, micro);
            let all: Vec<u32> = plan.iter().flatten().flatten().copied().collect();
            assert_eq!(all, order, "every clip once, in order");
            let sizes: Vec<usize> = plan
                .iter()
                .map(|step| step.iter().map(Vec::len).sum())
                .collect();
            let (min, max) = (sizes.iter().min().unwrap(), sizes.iter().max().unwrap());
            assert!(max - min <= 1, "{sizes:?}");
            assert!(
                plan.iter()
                    .flatten()
                    .all(|part| !part.is_empty() && part.len() <= micro)
            );
        }
        assert!(plan(&[], 4, 4).is_empty());
    }
}
