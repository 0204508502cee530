//! The bytes of a pickle, one after the other, with the place of whatever goes wrong.

use std::collections::HashSet;

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

/// What follows an opcode and belongs to it.
pub(super) enum Operand<'a> {
    Nothing,
    Number(u64),
    /// Up to the next line end.
    Line(&'a [u8]),
    Lines([&'a [u8]; 2]),
    /// Behind a length.
    Span(Span),
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

    /// The operand of an opcode that was read; the names are those of Python's pickletools.
    pub(super) fn operand(&mut self, opcode: u8) -> Result<Operand<'a>, Fault> {
        Ok(match opcode {
            b'h' | b'q' | b'K' | 0x80 | 0x82 => Operand::Number(self.number(1)?),
            b'M' | 0x83 => Operand::Number(self.number(2)?),
            b'j' | b'r' | b'J' | 0x84 => Operand::Number(self.number(4)?),
            b'G' | 0x95 => Operand::Number(self.number(8)?),
            b'g' | b'p' | b'I' | b'L' | b'F' | b'V' | b'S' | b'P' => Operand::Line(self.line()?),
            b'c' | b'i' => Operand::Lines([self.line()?, self.line()?]),
            0x8a => self.counted(1, "an integer")?,
            0x8b => self.signed("an integer")?,
            0x8c => self.counted(1, "text")?,
            b'X' => self.counted(4, "text")?,
            0x8d => self.counted(8, "text")?,
            b'C' | b'U' => self.counted(1, "bytes")?,
            b'B' | b'T' => self.counted(4, "bytes")?,
            0x8e | 0x96 => self.counted(8, "bytes")?,
            _ => Operand::Nothing,
        })
    }

    /// The next `len` bytes, which must be there.
    fn span(&mut self, len: u64, what: &str) -> Result<Span, Fault> {
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

    /// A little-endian number of `width` bytes.
    fn number(&mut self, width: u64) -> Result<u64, Fault> {
        let span = self.span(width, "pickle")?;
        let bytes = self.bytes[span.start..][..span.len].iter().rev();
        Ok(bytes.fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    /// The bytes behind a length of `width` bytes.
    fn counted(&mut self, width: u64, what: &str) -> Result<Operand<'a>, Fault> {
        let len = self.number(width)?;
        self.span(len, what).map(Operand::Span)
    }

    /// The same of a length of four bytes that has a sign.
    fn signed(&mut self, what: &str) -> Result<Operand<'a>, Fault> {
        let len = self.number(4)? as u32 as i32;
        let wrong = |_| Fault::new(self.at - 5, "a length", len.to_string());
        let len = u64::try_from(len).map_err(wrong)?;
        self.span(len, what).map(Operand::Span)
    }

    /// The bytes up to the next line end, which is skipped.
    fn line(&mut self) -> Result<&'a [u8], Fault> {
        let rest = &self.bytes[self.at..];
        let Some(len) = rest.iter().position(|&b| b == b'\n') else {
            return Err(Fault::new(self.at, "a line end", "the end of the file"));
        };
        self.at += len + 1;
        Ok(&rest[..len])
    }
}

/// A line as text, without the return of a Windows line end.
pub(super) fn text(line: &[u8]) -> Option<&str> {
    std::str::from_utf8(line.strip_suffix(b"\r").unwrap_or(line)).ok()
}

/// The keys under which the pickle fetches from its memo. Python's pickler remembers every string, tuple and array, since any
/// could come again, and asks for next to none of them: this first walk over the opcodes finds out which, so that the
/// machine can forget the rest. None where that can't be told: the bytes are no pickle to the end, or remember in two ways at
/// once, which no pickler does.
pub(super) fn fetched(bytes: &[u8]) -> Option<HashSet<u64>> {
    let mut input = Scanner::new(bytes);
    // Whether something was remembered under the next number, and under a key of its own.
    let (mut keys, mut numbered, mut named) = (HashSet::new(), false, false);
    loop {
        let opcode = input.byte().ok()?;
        match (opcode, input.operand(opcode).ok()?) {
            (b'.', _) => break,
            (b'h' | b'j', Operand::Number(key)) => drop(keys.insert(key)),
            (b'g', Operand::Line(line)) => keys.extend(text(line)?.parse::<u64>()),
            (b'p' | b'q' | b'r', _) => named = true,
            (0x94, _) => numbered = true,
            _ => {}
        }
    }
    (!(numbered && named)).then_some(keys)
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
