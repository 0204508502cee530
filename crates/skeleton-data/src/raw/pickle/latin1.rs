//! Bytes that were written as text.

use super::Mismatch;

/// Latin-1 bytes that were written as UTF-8 text: exactly `len` of them.
///
/// Without branches on the data, since every other byte of an array starts a pair: a loop that branches is three times
/// slower.
pub(super) fn latin1(text: &[u8], len: usize) -> Result<Vec<u8>, Mismatch> {
    let wrong = || {
        Mismatch::new(
            format!("{len} bytes, written as text"),
            "text of another length, or not of bytes",
        )
    };
    let mut out = vec![0; len];
    let mut at = 0;
    let mut broken = 0;
    for byte in &mut out {
        // The end is checked here, so that a sequence cut off by the end of the text fails as well.
        let Some(&first) = text.get(at) else {
            return Err(wrong());
        };
        let second = text.get(at + 1).copied().unwrap_or(0);
        let pair = first >> 7;
        let mask = pair.wrapping_neg();
        // Pairs begin with 0xC2 or 0xC3 and end in 0x80..0xC0.
        broken |= mask & (((first & 0xfe) ^ 0xc2) | ((second & 0xc0) ^ 0x80));
        *byte = (first & !mask) | (((first << 6) | (second & 0x3f)) & mask);
        at += 1 + usize::from(pair);
    }
    if broken != 0 || at != text.len() {
        return Err(wrong());
    }
    Ok(out)
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
