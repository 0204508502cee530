//! The stack machine: opcodes to values.

use std::collections::{HashMap, HashSet};

use super::array::MOST_AXES;
use super::scan::{Fault, Operand, Scanner, fetched, text, unescape_string, unescape_unicode};
use super::{Axes, Global, Id, Order, Parts, Span, Value};

/// What is read; anything else is refused by its name.
const PLAIN: &str = "plain data and numpy arrays";

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
            fetched: fetched(bytes),
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
            let operand = self.input.operand(opcode)?;
            self.step(opcode, operand)?;
        }
    }

    /// One opcode; the names are those of Python's pickletools.
    fn step(&mut self, opcode: u8, operand: Operand<'a>) -> Result<(), Fault> {
        match opcode {
            b'N' => self.push_id(NONE),
            0x88 => self.push_id(TRUE),
            0x89 => self.push_id(FALSE),
            b')' => self.push_id(NO_ITEMS),
            b'I' | b'J' | b'K' | b'M' | b'L' | 0x8a | 0x8b | b'F' | b'G' | b'X' | 0x8c | 0x8d
            | b'V' | b'B' | b'C' | 0x8e | 0x96 | b'S' | b'T' | b'U' => {
                self.literal(opcode, operand)
            }
            b'(' => self.mark(),
            b']' | 0x8f => self.push(Value::List(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            b'l' | b't' | b'd' | 0x85..=0x87 | 0x91 => self.gather(opcode),
            b'a' | b'e' | b's' | b'u' | 0x90 => self.extend(opcode),
            b'0' => self.pop_or_mark(),
            b'1' => self.pop_mark().map(drop),
            b'2' => {
                self.pinned = self.values.len();
                self.top().and_then(|id| self.push_id(id))
            }
            b'g' | b'h' | b'j' | b'p' | b'q' | b'r' | 0x94 => self.memory(opcode, operand),
            0x80 | 0x95 => self.framing(opcode, operand),
            b'c' | 0x93 | b'i' => self.global(opcode, operand),
            b'R' => self.reduce(),
            b'b' => self.build(),
            0x81 | 0x92 | b'o' => {
                let found = format!("the construction of an object (opcode 0x{opcode:02x})");
                Err(self.fault(PLAIN, found))
            }
            b'P' | b'Q' | 0x82..=0x84 => Err(self.fault(PLAIN, format!("opcode 0x{opcode:02x}"))),
            0x97 | 0x98 => {
                let found = "an out-of-band buffer, kept outside this file";
                Err(self.fault("arrays inside the pickle", found))
            }
            _ => Err(self.fault("a pickle opcode", format!("byte 0x{opcode:02x}"))),
        }
    }

    fn fault(&self, expected: impl Into<String>, found: impl Into<String>) -> Fault {
        Fault::new(self.op_at, expected, found)
    }

    // The stack.

    fn count(&mut self) -> Result<(), Fault> {
        let left = self.pushes_left.checked_sub(1).ok_or_else(|| {
            let found = "more values than a file of this size can need";
            self.fault("annotations", found)
        })?;
        self.pushes_left = left;
        Ok(())
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
        let floor = self.marks.pop();
        let floor = floor.ok_or_else(|| self.fault("an open MARK", "none"))?;
        Ok(self.stack.split_off(floor))
    }

    // Containers.

    fn gather(&mut self, opcode: u8) -> Result<(), Fault> {
        let items = match opcode {
            0x85..=0x87 => {
                let len = usize::from(opcode - 0x84);
                if self.stack.len() < self.floor() + len {
                    return Err(self.fault(format!("{len} values on the stack"), "fewer"));
                }
                self.stack.split_off(self.stack.len() - len)
            }
            _ => self.pop_mark()?,
        };
        let value = match opcode {
            b'l' | 0x91 => Value::List(items),
            b'd' => Value::Dict(self.pairs(&items)?),
            _ => Value::Tuple(items.into()),
        };
        self.push(value)
    }

    fn pairs(&self, items: &[Id]) -> Result<Vec<(Id, Id)>, Fault> {
        if items.len() % 2 == 1 {
            return Err(self.fault("keys with a value each", format!("{} values", items.len())));
        }
        let pairs = items.as_chunks().0.iter();
        Ok(pairs.map(|&[key, value]| (key, value)).collect())
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
        if matches!(opcode, b'a' | b'e' | 0x90) {
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

    fn framing(&self, opcode: u8, operand: Operand) -> Result<(), Fault> {
        let left = self.input.remaining() as u64;
        match (opcode, operand) {
            (0x80, Operand::Number(newer @ 6..)) => {
                Err(self.fault("pickle protocol 0 to 5", format!("protocol {newer}")))
            }
            (0x95, Operand::Number(len)) if len > left => {
                let found = format!("the end of the file after {left}");
                Err(self.fault(format!("a frame of {len} bytes"), found))
            }
            _ => Ok(()),
        }
    }

    /// Opcodes that push numbers, text and bytes.
    fn literal(&mut self, opcode: u8, operand: Operand) -> Result<(), Fault> {
        let value = match (opcode, operand) {
            (b'J', Operand::Number(number)) => Value::Int((number as u32 as i32).into()),
            (b'G', Operand::Number(number)) => Value::Float(f64::from_bits(number.swap_bytes())),
            (_, Operand::Number(number)) => Value::Int(number as i64),
            (0x8a | 0x8b, Operand::Span(span)) => self.long(span)?,
            (b'X' | 0x8c | 0x8d, Operand::Span(span)) => Value::Text(span),
            (_, Operand::Span(span)) => Value::Bytes(span),
            (b'I', Operand::Line(b"01" | b"01\r")) => return self.push_id(TRUE),
            (b'I', Operand::Line(b"00" | b"00\r")) => return self.push_id(FALSE),
            (b'V', Operand::Line(line)) => {
                let text = unescape_unicode(line);
                let text = text.ok_or_else(|| self.fault("escaped text", "a broken escape"))?;
                Value::OwnedText(text.into())
            }
            (b'S', Operand::Line(line)) => {
                let bytes = unescape_string(line);
                let bytes = bytes.ok_or_else(|| self.fault("a quoted string", "a broken one"))?;
                Value::OwnedBytes(bytes.into())
            }
            (b'F', Operand::Line(line)) => Value::Float(self.parse(line, "a number")?),
            (_, Operand::Line(line)) => {
                let digits = line.strip_suffix(b"\r").unwrap_or(line);
                let digits = digits.strip_suffix(b"L").unwrap_or(digits);
                Value::Int(self.parse(digits, "an integer of 64 bits")?)
            }
            _ => return Err(self.fault("a number, text or bytes", "nothing")),
        };
        self.push(value)
    }

    /// What a line says as text; opcodes of protocol 0 write numbers so.
    fn parse<T: std::str::FromStr>(&self, line: &[u8], what: &str) -> Result<T, Fault> {
        let line = self.text(line, what)?;
        let wrong = |_| self.fault(what, format!("{line:?}"));
        line.parse().map_err(wrong)
    }

    fn text<'b>(&self, line: &'b [u8], what: &str) -> Result<&'b str, Fault> {
        text(line).ok_or_else(|| self.fault(what, "bytes that are not UTF-8"))
    }

    /// A little-endian integer in two's complement.
    fn long(&self, span: Span) -> Result<Value, Fault> {
        if span.len > 8 {
            let found = format!("one of {} bytes", span.len);
            return Err(self.fault("an integer of 64 bits", found));
        }
        let bytes = &self.input.bytes[span.start..span.start + span.len];
        let is_negative = bytes.last().is_some_and(|&byte| byte >= 0x80);
        let mut out = [if is_negative { 0xff } else { 0 }; 8];
        out[..bytes.len()].copy_from_slice(bytes);
        Ok(Value::Int(i64::from_le_bytes(out)))
    }

    // Opcodes that name functions and call them: only those that put numpy arrays together are known.

    fn global(&mut self, opcode: u8, operand: Operand) -> Result<(), Fault> {
        let (module, name) = match operand {
            Operand::Lines([module, name]) => (
                self.text(module, "a module's name")?.to_owned(),
                self.text(name, "a function's name")?.to_owned(),
            ),
            _ => {
                let (name, module) = (self.pop()?, self.pop()?);
                (self.short_text(module)?, self.short_text(name)?)
            }
        };
        match Global::find(&module, &name) {
            Some(global) if opcode != b'i' => self.push(Value::Global(global)),
            _ => {
                let shown: String = format!("{module}.{name}").chars().take(120).collect();
                let mut found = format!("a reference to `{shown}`, which is never run");
                if let Some(remedy) = remedy(&module) {
                    found += "; ";
                    found += remedy;
                }
                Err(self.fault(PLAIN, found))
            }
        }
    }

    /// Text that names something: owned, since names are short.
    fn short_text(&self, id: Id) -> Result<String, Fault> {
        let bytes = match &self.values[id.0 as usize] {
            Value::Text(span) | Value::Bytes(span) => {
                &self.input.bytes[span.start..span.start + span.len]
            }
            Value::OwnedText(text) => text.as_bytes(),
            Value::OwnedBytes(bytes) => bytes,
            _ => return Err(self.fault("text", "another value")),
        };
        Ok(String::from_utf8_lossy(&bytes[..bytes.len().min(256)]).into_owned())
    }

    fn reduce(&mut self) -> Result<(), Fault> {
        let args = self.pop()?;
        let callable = self.pop()?;
        let value = |id: Id| &self.values[id.0 as usize];
        let (Value::Global(global), Value::Tuple(args)) = (value(callable), value(args)) else {
            return Err(self.fault("a known function and its arguments", "other values"));
        };
        let value = match (global, &args[..]) {
            (Global::Reconstruct, [class, ..]) => match self.values[class.0 as usize] {
                Value::Global(Global::Ndarray) => Value::Array(None),
                _ => return Err(self.fault("a numpy.ndarray", "an array of another class")),
            },
            (Global::FromBuffer, &[data, dtype, shape, order, ref axes @ ..]) => {
                let order = match (self.short_text(order)?.as_str(), axes) {
                    ("C", []) => Order::C,
                    ("F", []) => Order::Fortran,
                    ("K", &[axes]) => Order::Transposed(axes),
                    (other, _) => {
                        let expected = "order C or F, or K and the axes' order";
                        return Err(self.fault(expected, format!("{other:?}")));
                    }
                };
                Value::Array(Some(Box::new(Parts {
                    shape: Axes::Stored(shape),
                    dtype,
                    order,
                    data,
                })))
            }
            (Global::Scalar, &[dtype, data]) => Value::Scalar { dtype, data },
            (Global::Dtype, &[name, ..]) => Value::Dtype { name, big: false },
            (Global::Encode, &[text, encoding]) => self.encode(text, encoding)?,
            (Global::Bytes, []) => Value::OwnedBytes(Box::new([])),
            (Global::Bytes, &[bytes]) => return self.push_id(bytes),
            (Global::OrderedDict, []) | (Global::DefaultDict, [] | [_]) => Value::Dict(Vec::new()),
            (Global::Set, []) => Value::List(Vec::new()),
            // Itself, not a copy: a set of one long list could be made in every few bytes of a file.
            (Global::Set, &[items]) => return self.push_id(items),
            (global, args) => {
                let found = format!("{} arguments to {global:?}", args.len());
                return Err(self.fault("arguments as numpy writes them", found));
            }
        };
        self.push(value)
    }

    /// `_codecs.encode(text, 'latin1')`: bytes, one for each character.
    fn encode(&self, text: Id, encoding: Id) -> Result<Value, Fault> {
        let encoding = self.short_text(encoding)?;
        if !matches!(encoding.as_str(), "latin1" | "latin-1" | "iso-8859-1") {
            return Err(self.fault("bytes encoded as latin1", format!("encoding {encoding:?}")));
        }
        match &self.values[text.0 as usize] {
            Value::Text(span) => Ok(Value::Latin1(*span)),
            Value::OwnedText(text) => {
                let bytes: Result<Vec<u8>, _> = text.chars().map(u8::try_from).collect();
                let wrong = |_| self.fault("bytes encoded as latin1", "a character beyond them");
                Ok(Value::OwnedBytes(bytes.map_err(wrong)?.into()))
            }
            _ => Err(self.fault("text to encode", "another value")),
        }
    }

    fn build(&mut self) -> Result<(), Fault> {
        let state = self.pop()?;
        let target = self.top()?;
        let Value::Tuple(state) = &self.values[state.0 as usize] else {
            return Err(self.fault("the state of a numpy array or dtype", "another value"));
        };
        let built = match (&self.values[target.0 as usize], &state[..]) {
            (Value::Dtype { name, .. }, &[_, order, ..]) => Value::Dtype {
                name: *name,
                big: self.short_text(order)? == ">",
            },
            (Value::Array(None), &[_, shape, dtype, fortran, data]) => {
                let order = match self.values[fortran.0 as usize] {
                    Value::Bool(false) | Value::Int(0) => Order::C,
                    Value::Bool(true) | Value::Int(_) => Order::Fortran,
                    _ => return Err(self.fault("True or False for Fortran order", "another value")),
                };
                let (shape, data) = self.forget(target, shape, dtype, data);
                Value::Array(Some(Box::new(Parts {
                    shape,
                    dtype,
                    order,
                    data,
                })))
            }
            _ => return Err(self.fault("the state of a numpy array or dtype", "another object's")),
        };
        self.values[target.0 as usize] = built;
        Ok(())
    }

    /// Drops what the array `target` was put together from, where nothing else refers to any of it: all values after it.
    /// Returns its shape and where its bytes are now.
    fn forget(&mut self, target: Id, shape: Id, dtype: Id, data: Id) -> (Axes, Id) {
        let kept = (Axes::Stored(shape), data);
        let own = target.0 as usize >= self.pinned && dtype < target;
        let leaf = matches!(
            self.values[data.0 as usize],
            Value::Bytes(_) | Value::Latin1(_) | Value::OwnedBytes(_)
        );
        let Some(axes) = self.axes(shape).filter(|_| own && leaf) else {
            return kept;
        };
        let next = Id(target.0 + 1);
        // The bytes become the value after the array, unless they stand before it.
        if data > next {
            self.values.swap(data.0 as usize, next.0 as usize);
        }
        let kept = data.min(next);
        self.values.truncate(kept.max(target).0 as usize + 1);
        (Axes::Known(axes), kept)
    }

    /// A tuple of axes, where it is one.
    fn axes(&self, shape: Id) -> Option<Box<[u32]>> {
        let Value::Tuple(axes) = &self.values[shape.0 as usize] else {
            return None;
        };
        let axis = |id: &Id| match self.values[id.0 as usize] {
            Value::Int(axis) => u32::try_from(axis).ok(),
            _ => None,
        };
        let few = Some(axes).filter(|axes| axes.len() <= MOST_AXES);
        few?.iter().map(axis).collect()
    }

    // The memo.

    /// Remembers the top of the stack, or fetches what was remembered.
    fn memory(&mut self, opcode: u8, operand: Operand) -> Result<(), Fault> {
        let key = match operand {
            Operand::Number(key) => key,
            Operand::Line(line) => self.parse(line, "a memo key")?,
            _ => {
                self.remembered += 1;
                self.remembered - 1
            }
        };
        if matches!(opcode, b'g' | b'h' | b'j') {
            let wrong = || self.fault("a value in the memo", format!("none under {key}"));
            let id = self.memo.get(&key).copied().ok_or_else(wrong)?;
            return self.push_id(id);
        }
        let id = self.top()?;
        // A PUT pushes nothing, but the memo grows by it.
        self.count()?;
        if self.fetched.as_ref().is_none_or(|keys| keys.contains(&key)) {
            self.pinned = self.pinned.max(id.0 as usize + 1);
            self.memo.insert(key, id);
        }
        Ok(())
    }
}

/// What makes plain data of the objects that others keep beside arrays.
fn remedy(module: &str) -> Option<&'static str> {
    match module.split('.').next()? {
        "torch" => Some("tensor.numpy() makes an array of it"),
        "pandas" => Some(".to_numpy() makes an array of it"),
        "pathlib" => Some("str(path) makes text of it"),
        "numpy" if module.starts_with("numpy.ma") => Some(".filled(0) makes an array of it"),
        "numpy" if module == "numpy.dtypes" => Some(".astype(str).tolist() makes text of it"),
        _ => None,
    }
}
