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

/// How many fields there are: the places where one begins. In chunks, whose counts fit a byte, for the vector unit.
pub(super) fn count_fields(line: &[u8]) -> usize {
    const CHUNK: usize = 128;
    let Some((&first, next)) = line.split_first() else {
        return 0;
    };
    let begins = |(&before, &byte): (&u8, &u8)| u8::from(is_space(before) & !is_space(byte));
    let chunks = line.chunks(CHUNK).zip(next.chunks(CHUNK));
    let later = chunks.map(|(before, bytes)| before.iter().zip(bytes).map(begins).sum::<u8>());
    usize::from(!is_space(first)) + later.map(usize::from).sum::<usize>()
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
const TENS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
    1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
];

/// The number that is the line's first field, and what follows it.
///
/// As numpy makes a single from text: the nearest double, rounded to single. Few digits, the usual case, are a whole
/// number divided by a power of ten, both exact, so that the quotient is the nearest double; the rest is left to the
/// standard library.
#[inline]
pub(super) fn number(line: &[u8]) -> Option<(f32, &[u8])> {
    let start = line.iter().position(|&byte| !is_space(byte))?;
    let line = &line[start..];
    let negative = line[0] == b'-';
    let mut at = usize::from(negative);
    let (mut digits, mut mantissa, mut point) = (0usize, 0u64, None);
    while let Some(&byte) = line.get(at) {
        let digit = byte.wrapping_sub(b'0');
        if digit < 10 && digits < 19 {
            mantissa = mantissa * 10 + u64::from(digit);
            digits += 1;
        } else if byte == b'.' && point.is_none() {
            point = Some(digits);
        } else {
            break;
        }
        at += 1;
    }
    let ends = line.get(at).is_none_or(|&byte| is_space(byte));
    let places = point.map_or(0, |point| digits - point);
    if ends && digits > 0 && mantissa <= 1 << 53 {
        let size = mantissa as f64 / TENS[places];
        let value = if negative { -size } else { size };
        return Some((value as f32, &line[at..]));
    }
    let (field, rest) = field(line)?;
    let value: f64 = std::str::from_utf8(field).ok()?.parse().ok()?;
    Some((value as f32, rest))
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
        ] {
            let expected = text.parse::<f64>().unwrap() as f32;
            let line = format!(" {text}\t7\r");
            let (value, rest) = number(line.as_bytes()).unwrap();
            assert_eq!(value.to_bits(), expected.to_bits(), "{text}");
            assert_eq!(count_fields(rest), 1, "{text}");
        }
        assert!(number(b"nan").unwrap().0.is_nan());
    }

    #[test]
    fn what_is_no_number_is_none() {
        for text in [
            "", " \r", "x", "-", ".", "-.", "1.2.3", "1,5", "1e", "0x1", "--1", "1\u{e9}",
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
