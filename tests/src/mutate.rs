//! Damage to bytes, the same in every run.

/// A small generator (Knuth's constants), enough to choose damage.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// A stream of its own for each seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n
    }
}

/// Numbers at which code goes wrong, as bytes of 1 to 8.
const NUMBERS: [u64; 8] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff_ffff,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];
/// Words at which text readers go wrong.
const WORDS: [&str; 16] = [
    "-1",
    "0",
    "1e400",
    "NaN",
    "null",
    "99999999999999999999",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "\n",
    ",",
    "\u{0}",
    "é",
    "\\u0000",
];

/// One to three damages to a copy of `seed`; `other` is another whole file of the kind.
pub fn mutate(seed: &[u8], other: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..dice.below(4).max(1) {
        let at = dice.below(bytes.len() + 1);
        let len = (1 + dice.below(32)).min(bytes.len() - at);
        match dice.below(9) {
            0 if len > 0 => bytes[at] ^= 1 << dice.below(8),
            1 if len > 0 => bytes[at] = dice.below(256) as u8,
            2 => bytes.truncate(at),
            3 => drop(bytes.drain(at..at + len)),
            4 => {
                let copy = bytes[at..at + len].to_vec();
                let to = dice.below(bytes.len() + 1);
                bytes.splice(to..to, copy);
            }
            5 => {
                let number = NUMBERS[dice.below(NUMBERS.len())].to_le_bytes();
                let width = [1, 2, 4, 8][dice.below(4)].min(bytes.len() - at);
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            6 => {
                let word = WORDS[dice.below(WORDS.len())].bytes();
                bytes.splice(at..at + len.min(dice.below(4)), word);
            }
            7 if !other.is_empty() => {
                let from = dice.below(other.len());
                let to = (from + 1 + dice.below(256)).min(other.len());
                bytes.splice(at..at + len, other[from..to].iter().copied());
            }
            _ => bytes[at..at + len].fill(0),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_does_the_same_damage_and_most_of_it_is_damage() {
        let seed: Vec<u8> = (0..200).collect();
        let damaged = |n| mutate(&seed, &seed, &mut Dice::new(n));
        assert_eq!(damaged(7), damaged(7));
        assert!((0..100).filter(|&n| damaged(n) != seed).count() > 90);
        assert_eq!(
            mutate(&[], &[], &mut Dice::new(1)).len(),
            mutate(&[], &[], &mut Dice::new(1)).len()
        );
    }
}
