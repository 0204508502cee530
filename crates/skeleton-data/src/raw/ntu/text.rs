//! Lines, fields and numbers of a text, in place.

use memchr::memchr;

/// The lines of a text, one after the other.
pub(super) struct Lines<'a> {
    rest: &'a [u8],
    /// The number of the line that was read last, from 1.
    pub(super) number: usize,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Lines {
            rest: text,
            number: 0,
        }
    }

    /// The next line, without its end; what follows the last line end counts if it isn't empty.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        self.number += 1;
        if self.rest.is_empty() {
            return None;
        }
        let end = memchr(b'\n', self.rest);
        let (line, rest) = match end {
            Some(end) => (&self.rest[..end], &self.rest[end + 1..]),
            None => (self.rest, &[][..]),
        };
        self.rest = rest;
        Some(line)
    }
}

/// Blanks, tabs and the return of a Windows line end; other control characters don't occur.
fn is_space(byte: u8) -> bool {
    byte <= b' '
}

/// The first field and what follows it.
pub(super) fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let start = line.iter().position(|&byte| !is_space(byte))?;
    let line = &line[start..];
    let end = line.iter().position(|&byte| is_space(byte));
    Some(line.split_at(end.unwrap_or(line.len())))
}

/// How many fields there are: the places where one begins.
#[inline]
pub(super) fn count_fields(line: &[u8]) -> usize {
    let Some((&first, next)) = line.split_first() else {
        return 0;
    };
    let begins = |before: u8, byte: u8| u8::from(is_space(before) & !is_space(byte));
    // For the vector unit: blocks whose places count for themselves, in bytes, which all fields of a short line fit. The
    // last block ends with the line and counts no place twice.
    const BLOCK: usize = 32;
    let later = if (BLOCK..16 * BLOCK).contains(&next.len()) {
        let mut counts = [0u8; BLOCK];
        for (block, before) in next.chunks_exact(BLOCK).zip(line.chunks_exact(BLOCK)) {
            for k in 0..BLOCK {
                counts[k] += begins(before[k], block[k]);
            }
        }
        let old = (BLOCK - next.len() % BLOCK) as u8;
        let (block, before) = (&next[next.len() - BLOCK..], &line[next.len() - BLOCK..]);
        for k in 0..BLOCK {
            counts[k] += begins(before[k], block[k]) & u8::from(k as u8 >= old);
        }
        usize::from(counts.into_iter().fold(0u8, u8::wrapping_add))
    } else {
        let pairs = line.iter().zip(next);
        pairs
            .map(|(&before, &byte)| usize::from(begins(before, byte)))
            .sum()
    };
    usize::from(!is_space(first)) + later
}

/// A line that is one whole number.
pub(super) fn integer(line: &[u8]) -> Option<u64> {
    let (digits, rest) = field(line)?;
    if count_fields(rest) > 0 {
        return None;
    }
    digits_of(digits)
}

/// A field that is a whole number.
pub(super) fn digits_of(field: &[u8]) -> Option<u64> {
    field.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Powers of ten that a double holds exactly.
const TENS: [f64; 15] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14,
];

/// The number that is the line's first field, and what follows it.
///
/// As numpy makes a single from text: the nearest double, rounded to single. Few digits, the usual case, are a whole
/// number divided by a power of ten, both exact, so that the quotient is the nearest double; the rest is left to the
/// standard library. fast-float2 and lexical-core give the same bits, and take 1.3 times as long for such a file's numbers.
#[inline]
pub(super) fn number(line: &[u8]) -> Option<(f32, &[u8])> {
    plain(line).or_else(|| {
        let (field, rest) = field(line)?;
        let value: f64 = std::str::from_utf8(field).ok()?.parse().ok()?;
        Some((value as f32, rest))
    })
}

/// A number as the sensor's software mostly writes them: one blank at most, one digit, a point, up to fourteen digits,
/// and more of the line behind it; anything else is None.
#[inline(always)]
fn plain(line: &[u8]) -> Option<(f32, &[u8])> {
    let bytes: &[u8; 24] = line.first_chunk()?;
    let mut at = usize::from(bytes[0] == b' ');
    let negative = bytes[at] == b'-';
    at += usize::from(negative);
    let whole = bytes[at].wrapping_sub(b'0');
    if whole > 9 || bytes[at + 1] != b'.' {
        return None;
    }
    at += 2;
    let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|k| bytes[at + k]));
    let (mut mantissa, mut places) = digits8(word(at));
    if places == 8 {
        let (more, digits) = digits8(word(at + 8));
        if digits > 6 {
            return None;
        }
        mantissa = mantissa * TENS_WHOLE[digits] + more;
        places += digits;
    }
    if !is_space(bytes[at + places]) {
        return None;
    }
    mantissa += u64::from(whole) * TENS_WHOLE[places];
    let size = if mantissa < 1 << 24 && places < SINGLE_TENS.len() {
        // Both are singles exactly. Their quotient rounded to double and then to single is the quotient rounded to single,
        // since a double has more than twice a single's digits.
        mantissa as i32 as f32 / SINGLE_TENS[places]
    } else {
        (mantissa as f64 / TENS[places]) as f32
    };
    // A sign that is set needs no jump: half of the numbers are negative, in no order.
    let value = f32::from_bits(size.to_bits() | u32::from(negative) << 31);
    Some((value, &line[at + places..]))
}

/// Powers of ten that a single holds exactly.
const SINGLE_TENS: [f32; 11] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10];

/// Powers of ten as whole numbers.
const TENS_WHOLE: [u64; 15] = {
    let mut tens = [1; 15];
    let mut at = 1;
    while at < tens.len() {
        tens[at] = tens[at - 1] * 10;
        at += 1;
    }
    tens
};

/// The whole number that the leading digits are, and how many they are: eight bytes at once within one word.
#[inline(always)]
fn digits8(bytes: u64) -> (u64, usize) {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = bytes ^ (ONES * u64::from(b'0'));
    // A byte's high bit: it is above 9 (a digit is 0 to 9 after the exclusive or, and any other byte isn't).
    let others = ((word & (ONES * 0x7f)) + ONES * (0x7f - 9)) | word;
    let digits = ((others & (ONES * 0x80)).trailing_zeros() / 8) as usize;
    // The digits move to the end of the word, zeros before them. Neighbours are added up to pairs; two products shift and
    // add the pairs, first and third in one, into the upper half.
    let word = word.checked_shl(64 - 8 * digits as u32).unwrap_or(0);
    const PAIRS: u64 = 0x0000_00ff_0000_00ff;
    let pairs = word.wrapping_mul(10).wrapping_add(word >> 8);
    let odd = (pairs & PAIRS).wrapping_mul(100 + (1_000_000 << 32));
    let even = ((pairs >> 16) & PAIRS).wrapping_mul(1 + (10_000 << 32));
    let all = odd.wrapping_add(even) >> 32;
    (all, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_the_nearest_double_rounded_to_single() {
        for text in [
            "0",
            "-0",
            "0.2181153",
            "-0.1725972",
            "3.785547",
            "1e-05",
            "-1.5E+3",
            "9007199254740993",
            "0.1000000000000000055511151231257827",
            "123456789012345678901234567890",
            ".5",
            "5.",
            "+2",
            "1e400",
            "inf",
            "0.1e1",
            "-0.12e-1",
        ] {
            let expected = text.parse::<f64>().unwrap() as f32;
            let line = format!(" {text}\t7\r");
            let (value, rest) = number(line.as_bytes()).unwrap();
            assert_eq!(value.to_bits(), expected.to_bits(), "{text}");
            assert_eq!(count_fields(rest), 1, "{text}");
        }
        assert!(number(b"nan").unwrap().0.is_nan());
    }

    /// As numpy reads a line's text, with room behind it for the quick way.
    fn same_as_the_standard_library(text: &str) {
        let expected = text.parse::<f64>().unwrap() as f32;
        let line = format!(" {text} 0.1 0.2 0.3 0.4 0.5 0.6 2\r");
        let (value, rest) = number(line.as_bytes()).unwrap();
        assert_eq!(value.to_bits(), expected.to_bits(), "{text}");
        assert_eq!(count_fields(rest), 7, "{text}");
    }

    #[test]
    fn numbers_of_any_length_and_beside_the_middle_of_two_singles_are_read_exactly() {
        let mut state = 1u64;
        let mut next = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            state >> 11
        };
        for _ in 0..20_000 {
            let sign = if next() % 2 == 0 { "-" } else { "" };
            let places = (next() % 18) as usize;
            let digits = next() % 10u64.pow(places.min(15) as u32);
            let whole = next() % [10, 10, 100, 5_000][(next() % 4) as usize];
            same_as_the_standard_library(&format!("{sign}{whole}.{digits:0places$}"));
            // The double between a single and the next one, which as many places as are read the quick way come within
            // a few units of only where singles are large.
            let below = f32::from_bits((0x4080_0000 + next() % 0x009f_0000) as u32);
            let above = f32::from_bits(below.to_bits() + 1);
            let middle = (f64::from(below) + f64::from(above)) / 2.0;
            for places in [places, 13, 14, 15] {
                same_as_the_standard_library(&format!("{sign}{middle:.places$}"));
            }
        }
        // As the sensor's software writes them: seven digits that count.
        for _ in 0..50_000 {
            let value = (next() % 20_000_000) as f64 / 1e7 - 1.0;
            let scale = 10f64.powi((next() % 4) as i32);
            let places = (6.0 - (value / scale).abs().max(1e-9).log10().floor()) as usize;
            same_as_the_standard_library(&format!("{:.places$}", value / scale));
        }
        for digits in 0..=17 {
            same_as_the_standard_library(&format!("0.{}", "9".repeat(digits)));
            same_as_the_standard_library(&format!("-9.{}", "0".repeat(digits)));
        }
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            "",
            " \r",
            "x",
            "-",
            ".",
            "-.",
            "1.2.3",
            "1,5",
            "1e",
            "0x1",
            "--1",
            "1\u{e9}",
            "0.12345678x then more of the line",
            "0.1234:5 then more of the line",
            "0./5 then more of the line",
            ":.5 then more of the line",
        ] {
            assert_eq!(number(text.as_bytes()), None, "{text:?}");
        }
        for text in ["", "-1", "1.0", "1 2", "18446744073709551616", "+1"] {
            assert_eq!(integer(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(integer(b" 18446744073709551615\r"), Some(u64::MAX));
    }

    #[test]
    fn fields_are_counted_like_split() {
        let mut line = String::new();
        for fields in 0..400 {
            let blanks = " ".repeat(fields % 3);
            assert_eq!(count_fields((line.clone() + &blanks).as_bytes()), fields);
            line += &format!(" {blanks}{}", "7".repeat(1 + fields % 5));
        }
    }

    #[test]
    fn lines_end_with_or_without_a_line_end() {
        let mut lines = Lines::new(b"a\r\n\nb");
        assert_eq!(lines.next(), Some(&b"a\r"[..]));
        assert_eq!(lines.next(), Some(&b""[..]));
        assert_eq!(lines.next(), Some(&b"b"[..]));
        assert_eq!((lines.next(), lines.number), (None, 4));
    }
}
