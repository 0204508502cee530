//! Opcodes that name functions and call them: only those that put numpy arrays together are known.

use super::super::array::MOST_AXES;
use super::super::scan::Fault;
use super::super::{Axes, Global, Id, Parts, Value};
use super::Machine;

impl Machine<'_> {
    pub(super) fn global(&mut self, opcode: u8) -> Result<(), Fault> {
        let (module, name) = if opcode == 0x93 {
            let name = self.pop()?;
            let module = self.pop()?;
            (self.short_text(module)?, self.short_text(name)?)
        } else {
            let module = self.input.text_line("a module's name")?;
            (
                module.to_owned(),
                self.input.text_line("a function's name")?.to_owned(),
            )
        };
        match Global::find(&module, &name) {
            Some(global) if opcode != b'i' => self.push(Value::Global(global)),
            _ => {
                let shown: String = format!("{module}.{name}").chars().take(120).collect();
                Err(self.fault(
                    "plain data and numpy arrays",
                    format!("a reference to `{shown}`, which is never run"),
                ))
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

    pub(super) fn reduce(&mut self) -> Result<(), Fault> {
        let args = self.pop()?;
        let callable = self.pop()?;
        let (Value::Global(global), Value::Tuple(args)) = (
            &self.values[callable.0 as usize],
            &self.values[args.0 as usize],
        ) else {
            return Err(self.fault("a known function and its arguments", "other values"));
        };
        let value = match (global, &args[..]) {
            (Global::Reconstruct, [class, ..]) => match self.values[class.0 as usize] {
                Value::Global(Global::Ndarray) => Value::Array(None),
                _ => return Err(self.fault("a numpy.ndarray", "an array of another class")),
            },
            (Global::FromBuffer, &[data, dtype, shape, order]) => {
                let fortran = match self.short_text(order)?.as_str() {
                    "C" => false,
                    "F" => true,
                    other => return Err(self.fault("order C or F", format!("{other:?}"))),
                };
                Value::Array(Some(Box::new(Parts {
                    shape: Axes::Stored(shape),
                    dtype,
                    fortran,
                    data,
                })))
            }
            (Global::Scalar, &[dtype, data]) => Value::Scalar { dtype, data },
            (Global::Dtype, &[name, ..]) => Value::Dtype { name, big: false },
            (Global::Encode, &[text, encoding]) => self.encode(text, encoding)?,
            (Global::Bytes, []) => Value::OwnedBytes(Box::new([])),
            (Global::Bytes, &[bytes]) => return self.push_id(bytes),
            (Global::OrderedDict, []) => Value::Dict(Vec::new()),
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
                let bytes = bytes.map_err(|_| {
                    self.fault("bytes encoded as latin1", "a character beyond them")
                })?;
                Ok(Value::OwnedBytes(bytes.into()))
            }
            _ => Err(self.fault("text to encode", "another value")),
        }
    }

    pub(super) fn build(&mut self) -> Result<(), Fault> {
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
                let fortran = match self.values[fortran.0 as usize] {
                    Value::Bool(flag) => flag,
                    Value::Int(flag) => flag != 0,
                    _ => return Err(self.fault("True or False for Fortran order", "another value")),
                };
                let (shape, data) = self.forget(target, shape, dtype, data);
                Value::Array(Some(Box::new(Parts {
                    shape,
                    dtype,
                    fortran,
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
        let mut data = data;
        let bytes = std::mem::replace(&mut self.values[data.0 as usize], Value::None);
        if data > target {
            self.values.truncate(target.0 as usize + 1);
            data = Id(target.0 + 1);
            self.values.push(bytes);
        } else {
            self.values[data.0 as usize] = bytes;
            self.values.truncate(target.0 as usize + 1);
        }
        (Axes::Known(axes), data)
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
}
