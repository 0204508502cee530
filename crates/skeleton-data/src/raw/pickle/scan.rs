//! The bytes of a pickle, one after the other, with the place of whatever goes wrong.

use super::Span;
use crate::error::Mismatch;

/// What went wrong, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) offset: usize,
    pub(super) mismatch: Mismatch,
}

impl Fault {
    pub(super) fn new(
        offset: usize,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> Fault {
        let mismatch = Mismatch::new(expected, found);
        Fault { offset, mismatch }
    }
}

/// A cursor over the bytes.
pub(super) struct Scanner<'a> {
    pub(super) bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Scanner { bytes, at: 0 }
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The next `len` bytes, which must be there.
    pub(super) fn span(&mut self, len: u64, what: &str) -> Result<Span, Fault> {
        let left = self.remaining();
        if len > left as u64 {
            let (expected, found) = (
                format!("{len} bytes of {what}"),
                format!("the end of the file after {left}"),
            );
            return Err(Fault::new(self.at, expected, found));
        }
        let span = Span {
            start: self.at,
            len: len as usize,
        };
        self.at += span.len;
        Ok(span)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        let span = self.span(1, "pickle")?;
        Ok(self.bytes[span.start])
    }

    /// The next N bytes by value.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let span = self.span(N as u64, "pickle")?;
        let mut out = [0; N];
        out.copy_from_slice(&self.bytes[span.start..span.start + N]);
        Ok(out)
    }

    /// The bytes up to the next line end, which is skipped.
    pub(super) fn line(&mut self) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.at..];
        let Some(len) = rest.iter().position(|&b| b == b'\n') else {
            return Err(Fault::new(self.at, "a line end", "the end of the file"));
        };
        self.at += len + 1;
        Ok(&rest[..len])
    }

    /// A line as text; opcodes of protocol 0 write numbers and names so.
    pub(super) fn text_line(&mut self, what: &str) -> Result<&'a str, Fault> {
        let offset = self.at;
        let line = self.line()?;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let wrong = |_| Fault::new(offset, what, "bytes that are not UTF-8");
        std::str::from_utf8(line).map_err(wrong)
    }
}

/// Text of protocol 0 (`raw-unicode-escape`): bytes are characters, and \uXXXX and \UXXXXXXXX stand for others.
pub(super) fn unescape_unicode(line: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((&byte, tail)) = rest.split_first() {
        let digits = match (byte, tail.first()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                out.push(char::from(byte));
                rest = tail;
                continue;
            }
        };
        let hex = std::str::from_utf8(tail.get(1..1 + digits)?).ok()?;
        out.push(char::from_u32(u32::from_str_radix(hex, 16).ok()?)?);
        rest = &tail[1 + digits..];
    }
    Some(out)
}

/// A `str` of Python 2 in protocol 0: quoted, with the escapes of a Python literal.
pub(super) fn unescape_string(line: &[u8]) -> Option<Vec<u8>> {
    let inner = match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        _ => return None,
    };
    let mut out = Vec::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            out.push(byte);
            continue;
        }
        let (&escape, tail) = rest.split_first()?;
        rest = tail;
        out.push(match escape {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'\\' | b'\'' | b'"' => escape,
            b'x' => {
                let hex = std::str::from_utf8(rest.get(..2)?).ok()?;
                rest = &rest[2..];
                u8::from_str_radix(hex, 16).ok()?
            }
            _ => return None,
        });
    }
    Some(out)
}
