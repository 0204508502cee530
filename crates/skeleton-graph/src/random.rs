//! The one rule by which everything random is keyed.
//!
//! What is drawn depends on the seed, on what it is for, on the epoch and on the clip or batch,
//! and on nothing else: not on which worker draws it, how many there are, or whether a run was
//! interrupted between. A draw never continues another one's stream.
//!
//! The rule has nothing to do with graphs. It stands in this crate because data and models both
//! need it, neither depends on the other, and this is the crate below both.
//!
//! The key of a stream is the SHA-256 of these bytes, numbers little endian:
//!
//! | bytes | meaning |
//! |---|---|
//! | `skeleton-random-1` | the rule's name |
//! | u64 | seed |
//! | u8 | purpose, by the numbers of [`Purpose`] |
//! | u64 | epoch |
//! | u8 | kind of key: 0 none, 1 index, 2 clip |
//! | nothing, u64, or u64 length and UTF-8 text | the key |
//!
//! Every field has a fixed length or says it, so no two keys share their bytes. The stream is
//! ChaCha with 8 rounds keyed by it.

use rand_chacha::rand_core::{RngCore, SeedableRng};
use sha2::{Digest, Sha256};

/// The generator behind every draw. It gives the same numbers on every machine.
pub type Rng = rand_chacha::ChaCha8Rng;

const RULE: &[u8] = b"skeleton-random-1";

/// What a draw is for. Each purpose has streams of its own. The numbers are part of the rule:
/// a new purpose takes a new number, a number is never given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Purpose {
    /// A model's first parameters.
    Init = 0,
    /// The order of the clips in an epoch.
    Shuffle = 1,
    /// Which joints are masked.
    Mask = 2,
    /// How a clip is altered in training.
    Augment = 3,
    /// Which features dropout leaves out.
    Dropout = 4,
    /// Which clips are kept back from training.
    Holdout = 5,
    /// The synthetic clips.
    Synthetic = 6,
    /// Which frames are read.
    Sample = 7,
    /// Which clips keep their labels.
    Labels = 8,
    /// How the two views of a clip differ in contrastive pre-training.
    View = 9,
    /// What a control of pre-training puts in the place of clips.
    Control = 10,
    /// Which measurements a bootstrap takes.
    Bootstrap = 11,
    /// How a clip is altered where it is read a second time.
    SecondRead = 12,
    /// Which of several sets a step of training is of.
    Turns = 13,
}

/// What a draw belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Key<'a> {
    /// A clip, by its id.
    Clip(&'a str),
    /// Anything counted: a batch, a parameter.
    Index(u64),
    /// The whole run, or the whole epoch.
    None,
}

/// The stream of these four.
pub fn stream(seed: u64, purpose: Purpose, epoch: u64, key: Key<'_>) -> Rng {
    Rng::from_seed(Sha256::digest(encoding(seed, purpose, epoch, key)).into())
}

/// The order of `n` clips in an epoch: a permutation of 0..n, all equally likely.
pub fn shuffled(seed: u64, epoch: u64, n: usize) -> Vec<usize> {
    shuffled_for(seed, Purpose::Shuffle, epoch, n)
}

/// A permutation of 0..n for another purpose than the order of clips.
pub fn shuffled_for(seed: u64, purpose: Purpose, epoch: u64, n: usize) -> Vec<usize> {
    // Not the rand crate's shuffle, whose draws may change with its version.
    let mut rng = stream(seed, purpose, epoch, Key::None);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        let chosen = below(&mut rng, last as u64 + 1);
        order.swap(last, chosen as usize);
    }
    order
}

fn encoding(seed: u64, purpose: Purpose, epoch: u64, key: Key<'_>) -> Vec<u8> {
    let mut bytes = RULE.to_vec();
    bytes.extend(seed.to_le_bytes());
    bytes.push(purpose as u8);
    bytes.extend(epoch.to_le_bytes());
    match key {
        Key::None => bytes.push(0),
        Key::Index(index) => {
            bytes.push(1);
            bytes.extend(index.to_le_bytes());
        }
        Key::Clip(id) => {
            bytes.push(2);
            bytes.extend((id.len() as u64).to_le_bytes());
            bytes.extend(id.as_bytes());
        }
    }
    bytes
}

/// A number below `bound`, each equally likely: draws above the last whole multiple of `bound`
/// are drawn again.
fn below(rng: &mut Rng, bound: u64) -> u64 {
    let limit = u64::MAX - u64::MAX % bound;
    loop {
        let drawn = rng.next_u64();
        if drawn < limit {
            return drawn % bound;
        }
    }
}
