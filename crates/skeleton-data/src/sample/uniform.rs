//! The frames that pyskl's `UniformSample` takes: real frames, none between two.
//!
//! Of a clip of `frames` frames, `samples` are wanted.
//!
//! | frames | training | view `k` of `n` in evaluation |
//! |---|---|---|
//! | below samples | consecutive from a random start, the first following the last | the same from `k * frames / n` (from `k` where there are fewer frames than views) |
//! | below 2 samples | all in order but a random choice of skipped ones | the same, drawn from a fixed seed |
//! | more | a random frame of each of `samples` equal bins | the same, drawn from a fixed seed |
//!
//! One view alone (n = 1) draws nothing: it takes the middle frame of each bin. In pyskl it is a random one, too.

/// Puts `samples` frames of `frames` (1 or more) into `picked`, for training; `below(n)` draws a number below n.
///
/// The draws, in order: one below `frames` (short clips); or, for each of the `samples + 1` places before, between and
/// after the samples but the last, one below the places that are left, a frame being skipped there where it is below
/// the skips that are left; or, for each bin, one below its size.
pub fn random(
    frames: usize,
    samples: usize,
    mut below: impl FnMut(usize) -> usize,
    picked: &mut Vec<usize>,
) {
    picked.clear();
    if frames < samples {
        let start = below(frames);
        picked.extend((0..samples).map(|sample| (start + sample) % frames));
    } else if frames < 2 * samples {
        let (mut skips, mut frame) = (frames - samples, 0);
        for place in 0..samples {
            if below(samples + 1 - place) < skips {
                skips -= 1;
                frame += 1;
            }
            picked.push(frame);
            frame += 1;
        }
    } else {
        picked.extend((0..samples).map(|bin| {
            let (start, end) = (bin * frames / samples, (bin + 1) * frames / samples);
            start + below(end - start)
        }));
    }
}

/// Puts the frames of view number `view` of `views` (1 or more) into `picked`, for evaluation; `below` draws from a fixed seed.
pub fn view(
    frames: usize,
    samples: usize,
    (view, views): (usize, usize),
    below: impl FnMut(usize) -> usize,
    picked: &mut Vec<usize>,
) {
    if frames < samples {
        let start = if frames < views {
            view
        } else {
            view * frames / views
        };
        picked.clear();
        picked.extend((0..samples).map(|sample| (start + sample) % frames));
    } else if views == 1 {
        picked.clear();
        picked.extend((0..samples).map(|bin| {
            let (start, end) = (bin * frames / samples, (bin + 1) * frames / samples);
            start + (end - start) / 2
        }));
    } else {
        random(frames, samples, below, picked);
    }
}

#[cfg(test)]
mod tests {
    use rand::RngCore as _;
    use skeleton_graph::random::{Key, Purpose, Rng, stream};

    use super::*;
    use crate::sample::below;

    fn rng(key: u64) -> Rng {
        stream(5, Purpose::Sample, 0, Key::Index(key))
    }

    fn drawn(frames: usize, samples: usize, key: u64) -> Vec<usize> {
        let (mut rng, mut picked) = (rng(key), Vec::new());
        random(frames, samples, |n| below(&mut rng, n), &mut picked);
        picked
    }

    #[test]
    fn every_length_gives_all_samples_by_its_rule() {
        for frames in 1..=70 {
            for samples in [1, 2, 7, 16] {
                for key in 0..20 {
                    let picked = drawn(frames, samples, key);
                    assert_eq!(picked.len(), samples);
                    assert!(picked.iter().all(|&frame| frame < frames));
                    let rises = |by: fn(usize) -> bool| {
                        picked.windows(2).all(|w| w[0] < w[1] && by(w[1] - w[0]))
                    };
                    if frames < samples {
                        let next = |w: &[usize]| w[1] == (w[0] + 1) % frames;
                        assert!(picked.windows(2).all(next));
                    } else if frames < 2 * samples {
                        assert!(rises(|step| step <= 2), "{frames} {samples} {picked:?}");
                    } else {
                        assert!(rises(|_| true));
                        for (bin, &frame) in picked.iter().enumerate() {
                            let bounds = bin * frames / samples..(bin + 1) * frames / samples;
                            assert!(bounds.contains(&frame));
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn draws_reach_every_choice_about_equally() {
        // 5 frames, 3 samples: 2 of 4 places are skipped, 6 ways, as many sets of kept frames as there are ways to
        // skip among the first three places.
        let mut counts = std::collections::BTreeMap::new();
        for key in 0..6000 {
            *counts.entry(drawn(5, 3, key)).or_insert(0) += 1;
        }
        assert_eq!(counts.len(), 6, "{counts:?}");
        assert!(
            counts.values().all(|&n| (900..1100).contains(&n)),
            "{counts:?}"
        );
        let mut starts = [0; 4];
        (0..4000).for_each(|key| starts[drawn(4, 9, key)[0]] += 1);
        assert!(starts.iter().all(|n| (900..1100).contains(n)), "{starts:?}");
        let mut bin = [0; 3];
        (0..3000).for_each(|key| bin[drawn(9, 3, key)[1] - 3] += 1);
        assert!(bin.iter().all(|n| (900..1100).contains(n)), "{bin:?}");
    }

    #[test]
    fn views_start_apart_and_one_view_takes_the_middles() {
        let of = |frames, samples, which, key| {
            let (mut rng, mut picked) = (rng(key), vec![99]);
            view(frames, samples, which, |n| below(&mut rng, n), &mut picked);
            picked
        };
        assert_eq!(of(5, 6, (1, 2), 0), [2, 3, 4, 0, 1, 2]);
        assert_eq!(of(2, 3, (3, 4), 0), [1, 0, 1], "fewer frames than views");
        assert_eq!(of(12, 4, (0, 1), 0), [1, 4, 7, 10]);
        assert_eq!(of(4, 4, (0, 1), 0), [0, 1, 2, 3]);
        assert_eq!(of(6, 4, (0, 1), 0), [0, 2, 3, 5]);
        assert_eq!(of(12, 4, (0, 1), 0), of(12, 4, (0, 1), 1), "no draw");
        assert_eq!(of(12, 4, (2, 10), 3), drawn(12, 4, 3));
    }

    #[test]
    fn below_is_below() {
        let mut rng = rng(0);
        for n in [1, 2, 3, 1000, u32::MAX as usize] {
            assert!((0..100).all(|_| below(&mut rng, n) < n));
        }
        let (mut a, mut b) = (rng.clone(), rng);
        assert_eq!(
            below(&mut a, 10),
            ((u64::from(b.next_u32()) * 10) >> 32) as usize
        );
    }
}
