//! The stack machine: opcodes to values.

mod calls;

mod literals;
mod memo;

use std::collections::{HashMap, HashSet};

use super::scan::{Fault, Scanner};
use super::{Id, Value};

/// A pickle of annotations has a value for some tens of bytes; this many it may always have.
const FREE_VALUES: usize = 4096;
/// No pickle may have more: a set of 200,000 clips needs about ten million.
const MOST_VALUES: usize = 1 << 25;

const NONE: Id = Id(0);
const TRUE: Id = Id(1);
const FALSE: Id = Id(2);
const NO_ITEMS: Id = Id(3);

pub(super) struct Machine<'a> {
    input: Scanner<'a>,
    /// Where the opcode being run stands.
    op_at: usize,
    values: Vec<Value>,
    stack: Vec<Id>,
    /// The height of the stack at each open MARK.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
    /// How many values were remembered under the next number.
    remembered: u64,
    /// The keys that will be asked for; others are not kept. None: all are.
    fetched: Option<HashSet<u64>>,
    /// Values from this one on are referred to by the stack alone, each once.
    pinned: usize,
    /// How many values may be pushed in all; bounds the values, the stack, the marks and every list.
    pushes_left: usize,
}

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Machine {
            input: Scanner::new(bytes),
            op_at: 0,
            values: vec![
                Value::None,
                Value::Bool(true),
                Value::Bool(false),
                Value::Tuple(Box::new([])),
            ],
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            remembered: 0,
            fetched: memo::fetched(bytes),
            pinned: NO_ITEMS.0 as usize + 1,
            pushes_left: MOST_VALUES.min(FREE_VALUES + bytes.len() / 2),
        }
    }

    /// Runs to the STOP opcode; what lies behind it is ignored, as Python does.
    pub(super) fn run(mut self) -> Result<(Vec<Value>, Id), Fault> {
        loop {
            self.op_at = self.input.at();
            let opcode = self.input.byte()?;
            if opcode == b'.' {
                let root = self.pop()?;
                return Ok((self.values, root));
            }
            self.step(opcode)?;
        }
    }

    /// One opcode; the names are those of Python's pickletools.
    fn step(&mut self, opcode: u8) -> Result<(), Fault> {
        match opcode {
            b'N' => self.push_id(NONE),
            0x88 => self.push_id(TRUE),
            0x89 => self.push_id(FALSE),
            b')' => self.push_id(NO_ITEMS),
            b'I' | b'J' | b'K' | b'M' | b'L' | 0x8a | 0x8b | b'F' | b'G' => self.number(opcode),
            b'X' | 0x8c | 0x8d | b'V' => self.text(opcode),
            b'B' | b'C' | 0x8e | 0x96 | b'S' | b'T' | b'U' => self.byte_string(opcode),
            b'(' => self.mark(),
            b']' => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b'l' | b't' | b'd' | 0x85..=0x87 => self.gather(opcode),
            b'a' | b'e' | b's' | b'u' => self.extend(opcode),
            b'0' => self.pop_or_mark(),
            b'1' => self.pop_mark().map(drop),
            b'2' => {
                self.pinned = self.values.len();
                self.top().and_then(|id| self.push_id(id))
            }
            b'g' | b'h' | b'j' | b'p' | b'q' | b'r' | 0x94 => self.memory(opcode),
            0x80 => self.protocol(),
            0x95 => self.frame(),
            b'c' | 0x93 | b'i' => self.global(opcode),
            b'R' => self.reduce(),
            b'b' => self.build(),
            0x81 | 0x92 | b'o' => {
                let found = format!("the construction of an object (opcode 0x{opcode:02x})");
                Err(self.fault("plain data and numpy arrays", found))
            }
            b'P' | b'Q' | 0x82..=0x84 | 0x8f..=0x91 => Err(self.fault(
                "plain data and numpy arrays",
                format!("opcode 0x{opcode:02x}"),
            )),
            0x97 | 0x98 => Err(self.fault(
                "arrays inside the pickle",
                "an out-of-band buffer, kept outside this file",
            )),
            _ => Err(self.fault("a pickle opcode", format!("byte 0x{opcode:02x}"))),
        }
    }

    fn fault(&self, expected: impl Into<String>, found: impl Into<String>) -> Fault {
        Fault {
            offset: self.op_at,
            expected: expected.into(),
            found: found.into(),
        }
    }

    // The stack.

    fn count(&mut self) -> Result<(), Fault> {
        match self.pushes_left.checked_sub(1) {
            Some(left) => {
                self.pushes_left = left;
                Ok(())
            }
            None => Err(self.fault(
                "annotations",
                "more values than a file of this size can need",
            )),
        }
    }

    fn push_id(&mut self, id: Id) -> Result<(), Fault> {
        self.count()?;
        self.stack.push(id);
        Ok(())
    }

    fn push(&mut self, value: Value) -> Result<(), Fault> {
        let id = Id(self.values.len() as u32);
        self.push_id(id)?;
        self.values.push(value);
        Ok(())
    }

    fn mark(&mut self) -> Result<(), Fault> {
        self.count()?;
        self.marks.push(self.stack.len());
        Ok(())
    }

    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id, Fault> {
        match self.stack.last() {
            Some(&id) if self.stack.len() > self.floor() => Ok(id),
            _ => Err(self.fault("a value on the stack", "an empty stack")),
        }
    }

    fn pop(&mut self) -> Result<Id, Fault> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn pop_or_mark(&mut self) -> Result<(), Fault> {
        if self.stack.len() == self.floor() && self.marks.pop().is_some() {
            return Ok(());
        }
        self.pop().map(drop)
    }

    fn pop_mark(&mut self) -> Result<Vec<Id>, Fault> {
        let floor = self
            .marks
            .pop()
            .ok_or_else(|| self.fault("an open MARK", "none"))?;
        Ok(self.stack.split_off(floor))
    }

    // Containers.

    fn gather(&mut self, opcode: u8) -> Result<(), Fault> {
        let items = match opcode {
            0x85..=0x87 => {
                let len = usize::from(opcode - 0x84);
                let from = self
                    .stack
                    .len()
                    .checked_sub(len)
                    .filter(|&from| from >= self.floor());
                let from =
                    from.ok_or_else(|| self.fault(format!("{len} values on the stack"), "fewer"))?;
                self.stack.split_off(from)
            }
            _ => self.pop_mark()?,
        };
        let value = match opcode {
            b'l' => Value::List(items),
            b'd' => Value::Dict(self.pairs(&items)?),
            _ => Value::Tuple(items.into()),
        };
        self.push(value)
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, Fault> {
        if items.len() % 2 == 1 {
            return Err(self.fault("keys with a value each", format!("{} values", items.len())));
        }
        Ok(items
            .chunks_exact(2)
            .map(|pair| (pair[0], pair[1]))
            .collect())
    }

    fn extend(&mut self, opcode: u8) -> Result<(), Fault> {
        let items = match opcode {
            b'a' => vec![self.pop()?],
            b's' => {
                let value = self.pop()?;
                vec![self.pop()?, value]
            }
            _ => self.pop_mark()?,
        };
        let target = self.top()?;
        self.pinned = self.values.len();
        if matches!(opcode, b'a' | b'e') {
            if let Value::List(list) = &mut self.values[target.0 as usize] {
                list.extend(items);
                return Ok(());
            }
            return Err(self.fault("a list to append to", "another value"));
        }
        let pairs = self.pairs(&items)?;
        if let Value::Dict(dict) = &mut self.values[target.0 as usize] {
            dict.extend(pairs);
            return Ok(());
        }
        Err(self.fault("a dict to set keys of", "another value"))
    }

    // Framing.

    fn protocol(&mut self) -> Result<(), Fault> {
        match self.input.byte()? {
            0..=5 => Ok(()),
            newer => Err(self.fault("pickle protocol 0 to 5", format!("protocol {newer}"))),
        }
    }

    fn frame(&mut self) -> Result<(), Fault> {
        let len = u64::from_le_bytes(self.input.array()?);
        let left = self.input.remaining();
        if len > left as u64 {
            return Err(self.fault(
                format!("a frame of {len} bytes"),
                format!("the end of the file after {left}"),
            ));
        }
        Ok(())
    }
}
