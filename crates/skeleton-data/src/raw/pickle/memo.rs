//! What of the memo is ever asked for.
//!
//! Python's pickler remembers every string, tuple and array, since any could come again, and asks for next to none of them.
//! A first walk over the opcodes finds out which, so that the machine can forget the rest.

use std::collections::HashSet;

use super::scan::{Fault, Scanner};

/// The keys that the pickle fetches. None where that can't be told: the bytes are no pickle to the end, or remember in two
/// ways at once, which no pickler does.
pub(super) fn fetched(bytes: &[u8]) -> Option<HashSet<u64>> {
    let mut walk = Walk {
        input: Scanner::new(bytes),
        keys: HashSet::new(),
        numbered: false,
        named: false,
    };
    while walk.step().ok()? {}
    (!(walk.numbered && walk.named)).then_some(walk.keys)
}

struct Walk<'a> {
    input: Scanner<'a>,
    keys: HashSet<u64>,
    /// Whether something was remembered under the next number.
    numbered: bool,
    /// Whether something was remembered under a key of its own.
    named: bool,
}

impl Walk<'_> {
    /// Passes an opcode and what belongs to it; false after the last.
    fn step(&mut self) -> Result<bool, Fault> {
        match self.input.byte()? {
            b'.' => return Ok(false),
            b'h' => {
                let key = self.input.byte()?;
                self.keys.insert(key.into());
            }
            b'j' => {
                let key = u32::from_le_bytes(self.input.array()?);
                self.keys.insert(key.into());
            }
            b'g' => {
                let line = self.input.text_line("a memo key")?;
                self.keys.extend(line.parse::<u64>());
            }
            b'q' => self.name(1)?,
            b'r' => self.name(4)?,
            b'p' => {
                self.named = true;
                self.input.line()?;
            }
            0x94 => self.numbered = true,
            b'K' | 0x80 | 0x82 => self.pass(1)?,
            b'M' | 0x83 => self.pass(2)?,
            b'J' | 0x84 => self.pass(4)?,
            b'G' | 0x95 => self.pass(8)?,
            b'I' | b'L' | b'F' | b'V' | b'S' | b'P' => drop(self.input.line()?),
            b'c' | b'i' => {
                self.input.line()?;
                self.input.line()?;
            }
            0x8a | 0x8c | b'C' | b'U' => {
                let len = self.input.byte()?;
                self.pass(len.into())?;
            }
            0x8b | b'X' | b'B' | b'T' => {
                let len = u32::from_le_bytes(self.input.array()?);
                self.pass(len.into())?;
            }
            0x8d | 0x8e | 0x96 => {
                let len = u64::from_le_bytes(self.input.array()?);
                self.pass(len)?;
            }
            _ => {}
        }
        Ok(true)
    }

    fn name(&mut self, width: u64) -> Result<(), Fault> {
        self.named = true;
        self.pass(width)
    }

    fn pass(&mut self, len: u64) -> Result<(), Fault> {
        self.input.span(len, "pickle").map(drop)
    }
}
