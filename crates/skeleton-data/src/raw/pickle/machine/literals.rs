//! Opcodes that push numbers, text and bytes.

use super::super::scan::{Fault, unescape_string, unescape_unicode};
use super::super::{Span, Value};
use super::{FALSE, Machine, TRUE};

impl Machine<'_> {
    pub(super) fn number(&mut self, opcode: u8) -> Result<(), Fault> {
        let value =
            match opcode {
                b'J' => Value::Int(i32::from_le_bytes(self.input.array()?).into()),
                b'K' => Value::Int(self.input.byte()?.into()),
                b'M' => Value::Int(u16::from_le_bytes(self.input.array()?).into()),
                b'G' => Value::Float(f64::from_be_bytes(self.input.array()?)),
                0x8a => {
                    let len = self.input.byte()?.into();
                    self.long(len)?
                }
                0x8b => {
                    let len = i32::from_le_bytes(self.input.array()?);
                    let len =
                        u64::try_from(len).map_err(|_| self.fault("a length", len.to_string()))?;
                    self.long(len)?
                }
                b'F' => {
                    let line = self.input.text_line("a number")?;
                    Value::Float(
                        line.parse()
                            .map_err(|_| self.fault("a number", format!("{line:?}")))?,
                    )
                }
                _ => match self.input.text_line("an integer")? {
                    "01" if opcode == b'I' => return self.push_id(TRUE),
                    "00" if opcode == b'I' => return self.push_id(FALSE),
                    line => {
                        let digits = line.strip_suffix('L').unwrap_or(line);
                        Value::Int(digits.parse().map_err(|_| {
                            self.fault("an integer of 64 bits", format!("{line:?}"))
                        })?)
                    }
                },
            };
        self.push(value)
    }

    /// A little-endian integer in two's complement.
    fn long(&mut self, len: u64) -> Result<Value, Fault> {
        let span = self.input.span(len, "an integer")?;
        if span.len > 8 {
            return Err(self.fault(
                "an integer of 64 bits",
                format!("one of {} bytes", span.len),
            ));
        }
        let bytes = &self.input.bytes[span.start..span.start + span.len];
        let sign = if bytes.last().is_some_and(|&b| b >= 0x80) {
            0xff
        } else {
            0
        };
        let mut out = [sign; 8];
        out[..bytes.len()].copy_from_slice(bytes);
        Ok(Value::Int(i64::from_le_bytes(out)))
    }

    /// The span behind a length of 1, 4 or 8 bytes.
    fn counted(&mut self, width: usize, what: &str) -> Result<Span, Fault> {
        let len = match width {
            1 => self.input.byte()?.into(),
            4 => u32::from_le_bytes(self.input.array()?).into(),
            _ => u64::from_le_bytes(self.input.array()?),
        };
        self.input.span(len, what)
    }

    pub(super) fn text(&mut self, opcode: u8) -> Result<(), Fault> {
        let value = match opcode {
            b'X' => Value::Text(self.counted(4, "text")?),
            0x8c => Value::Text(self.counted(1, "text")?),
            0x8d => Value::Text(self.counted(8, "text")?),
            _ => {
                let line = self.input.line()?;
                let text = unescape_unicode(line)
                    .ok_or_else(|| self.fault("escaped text", "a broken escape"))?;
                Value::OwnedText(text.into())
            }
        };
        self.push(value)
    }

    pub(super) fn byte_string(&mut self, opcode: u8) -> Result<(), Fault> {
        let value = match opcode {
            b'B' | b'T' => Value::Bytes(self.counted(4, "bytes")?),
            b'C' | b'U' => Value::Bytes(self.counted(1, "bytes")?),
            0x8e | 0x96 => Value::Bytes(self.counted(8, "bytes")?),
            _ => {
                let line = self.input.line()?;
                let bytes = unescape_string(line)
                    .ok_or_else(|| self.fault("a quoted string", "a broken one"))?;
                Value::OwnedBytes(bytes.into())
            }
        };
        self.push(value)
    }
}
