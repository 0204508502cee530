//! Bytes that were written as text.

use crate::error::Mismatch;

/// Text is taken in pieces that stay in the first cache between the loops over them.
const PIECE: usize = 4096;

/// Latin-1 bytes that were written as UTF-8 text: exactly `len` of them.
///
/// Every other byte of an array starts a pair, so a loop that branches on the data is slow, and so is one whose next
/// place depends on the byte it reads. Here checking and joining pairs look at neighbours only, which the compiler turns
/// into vector instructions, and the last loop drops the first byte of each pair with an addition for a branch.
pub(super) fn latin1(text: &[u8], len: usize) -> Result<Vec<u8>, Mismatch> {
    let wrong = || {
        Mismatch::new(
            format!("{len} bytes, written as text"),
            "text of another length, or not of bytes",
        )
    };
    // A piece writes a byte for each of its own, the last of which may lie past the end.
    let mut out = vec![0; len + 1];
    let mut joined = [0; PIECE];
    let (mut at, mut previous, mut broken) = (0, 0, false);
    for piece in text.chunks(PIECE) {
        let before = [&[previous], &piece[..piece.len() - 1]];
        previous = piece[piece.len() - 1];
        broken |= join(piece[0], before[0][0], &mut joined[0]);
        let mut pairs = 0;
        for ((&byte, &before), joined) in piece[1..].iter().zip(before[1]).zip(&mut joined[1..]) {
            pairs |= u8::from(join(byte, before, joined));
        }
        broken |= pairs != 0;
        if broken {
            return Err(wrong());
        }
        for (&byte, &joined) in piece.iter().zip(&joined) {
            match out.get_mut(at) {
                Some(place) => *place = joined,
                None => return Err(wrong()),
            }
            at += usize::from(byte < FIRST);
        }
    }
    if previous >= FIRST || at != len {
        return Err(wrong());
    }
    out.truncate(len);
    Ok(out)
}

/// The first byte of a pair is this or the next: 0xC2 leaves the second byte as it is, 0xC3 adds 0x40.
const FIRST: u8 = 0xc2;

/// The byte that `byte` stands for after `before`, and whether the two can't follow each other.
#[inline(always)]
fn join(byte: u8, before: u8, joined: &mut u8) -> bool {
    *joined = byte | (u8::from(before == FIRST + 1) << 6);
    let second = byte & 0xc0 == 0x80;
    let foreign = (byte >= 0xc0) & (byte & 0xfe != FIRST);
    foreign | (second != (before >= FIRST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_comes_back() {
        let bytes: Vec<u8> = (0..=255).rev().chain(0..=255).collect();
        let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
        assert_eq!(latin1(text.as_bytes(), bytes.len()), Ok(bytes));
        assert_eq!(latin1(b"", 0), Ok(vec![]));
    }

    #[test]
    fn pairs_may_lie_across_pieces() {
        for shift in 0..4 {
            let bytes: Vec<u8> = (0..3 * PIECE)
                .map(|i| ((i + shift) % 251 + 5) as u8)
                .collect();
            let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
            assert_eq!(latin1(text.as_bytes(), bytes.len()).as_ref(), Ok(&bytes));
            assert!(latin1(text.as_bytes(), bytes.len() - 1).is_err());
            assert!(latin1(text.as_bytes(), bytes.len() + 1).is_err());
        }
    }

    #[test]
    fn other_text_and_other_lengths_are_refused() {
        for text in ["\u{100}", "\u{20ac}", "\u{10000}"] {
            for len in 1..=text.len() {
                assert!(
                    latin1(text.as_bytes(), len).is_err(),
                    "{text:?} as {len} bytes"
                );
            }
        }
        for text in [
            &b"\xc3"[..],
            b"\x80",
            b"\xc0\x80",
            b"\xc1\xbf",
            b"\xc2a",
            b"\xff\xff",
            b"a\xc2",
        ] {
            for len in 1..=2 {
                assert!(latin1(text, len).is_err(), "{text:?} as {len} bytes");
            }
        }
        assert!(latin1(b"ab", 1).is_err());
        assert!(latin1(b"ab", 3).is_err());
        assert!(latin1(b"", 1).is_err());
    }
}
