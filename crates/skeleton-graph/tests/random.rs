//! The rule of randomness. A failure of the golden values means that every run, split and
//! synthetic set made before would come out otherwise: change the rule's name, not the values.

use std::collections::HashSet;

use rand_chacha::rand_core::RngCore;
use skeleton_graph::random::{Key, Purpose, shuffled, stream};

/// First 64-bit draws for seed 42, epoch 3 and the keys none, index 7 and a clip; made by
/// `python3 crates/skeleton-graph/tests/random_golden.py`, which shares no code with the crate.
#[rustfmt::skip]
const GOLDEN: [(Purpose, [u64; 3]); 10] = [
    (Purpose::Init, [0xc06d0d1721bad3c6, 0xbad6f59343347339, 0x1def0096249f030e]),
    (Purpose::Shuffle, [0x437fd0dbfb50475c, 0xd8cac35e97fc8608, 0x5f0ea9b0b41c2eeb]),
    (Purpose::Mask, [0xdba101201148df56, 0x81edcd16b152c129, 0x5612e311757393f9]),
    (Purpose::Augment, [0x74b124795bdb8070, 0x75b0ece5b49c0d47, 0x95aac0a21c891aea]),
    (Purpose::Dropout, [0xb993a8cec8bde8fe, 0x17c7d671023e995c, 0x58b0f7b184537d6b]),
    (Purpose::Holdout, [0x310d9a761abe67e6, 0x61eae7744e132fe0, 0xae4bc16d2e54f8ae]),
    (Purpose::Synthetic, [0x01842144dc2954d4, 0xe64b890b7276cb3e, 0xeccc572594fcdd39]),
    (Purpose::Sample, [0xdc544aaf3e5d7ec3, 0x730f98f717f15514, 0x617468a37410645a]),
    (Purpose::Labels, [0xb862ca10f3426acd, 0xb3075649568e66d6, 0xa81830733377785c]),
    (Purpose::View, [0x255e27f644ecf670, 0x7bbffd83796bfd9b, 0x9e12fda01b90e708]),
];

const CLIP: &str = "S001C001P001R001A001";

#[test]
fn streams_are_the_documented_ones() {
    for (purpose, expected) in GOLDEN {
        let keys = [Key::None, Key::Index(7), Key::Clip(CLIP)];
        assert_eq!(
            keys.map(|key| stream(42, purpose, 3, key).next_u64()),
            expected,
            "{purpose:?}"
        );
    }
}

#[test]
fn the_order_is_the_documented_one() {
    assert_eq!(shuffled(1, 2, 12), [10, 8, 9, 0, 1, 2, 3, 11, 5, 4, 6, 7]);
}

#[test]
fn an_order_is_a_permutation_and_changes_with_the_epoch() {
    for n in [0, 1, 2, 3, 1000] {
        let mut order = shuffled(5, 0, n);
        order.sort_unstable();
        assert!(order.into_iter().eq(0..n));
    }
    assert_ne!(shuffled(5, 0, 1000), shuffled(5, 1, 1000));
    assert_ne!(shuffled(5, 0, 1000), shuffled(6, 0, 1000));
    assert_eq!(shuffled(5, 0, 1000), shuffled(5, 0, 1000));
}

/// Every place takes every value about equally often: 20,000 orders of 4, 24 orders possible.
#[test]
fn all_orders_are_about_equally_likely() {
    let mut counts = std::collections::HashMap::new();
    for epoch in 0..20_000 {
        *counts.entry(shuffled(9, epoch, 4)).or_insert(0u32) += 1;
    }
    assert_eq!(counts.len(), 24);
    // 833 expected, standard deviation 28: five of them either way.
    assert!(
        counts.values().all(|count| (693..=973).contains(count)),
        "{counts:?}"
    );
}

/// Keys that a careless encoding would confuse.
#[test]
fn different_keys_have_different_streams() {
    let keys = [
        Key::None,
        Key::Index(0),
        Key::Index(1),
        Key::Index(256),
        Key::Clip(""),
        Key::Clip("0"),
        Key::Clip("\0"),
        Key::Clip("\0\0\0\0\0\0\0\0"),
        Key::Clip("clip"),
        Key::Clip("clip "),
    ];
    let mut seen = HashSet::new();
    for seed in [0, 1, 256, u64::MAX] {
        for (purpose, _) in GOLDEN {
            for epoch in [0, 1, 256, u64::MAX] {
                for key in keys {
                    let draw = stream(seed, purpose, epoch, key).next_u64();
                    assert!(seen.insert(draw), "{seed} {purpose:?} {epoch} {key:?}");
                }
            }
        }
    }
}
