//! Python pickles of plain data and numpy arrays, protocols 0 to 5, read without running anything.
//!
//! A pickle is a program for a stack machine that may call any Python function. This interpreter knows the opcodes
//! that build plain data (numbers, text, bytes, lists, tuples, dicts) and the few globals by which numpy arrays are
//! put together; every other global is refused by its name.
//!
//! The file is mapped, and values hold places in it instead of copies: text and bytes are spans, arrays are decoded
//! from their span when a clip is read. References through the memo share one value, so that a pickle that doubles a
//! list a hundred times stays small here, and nothing recurses, neither over nesting nor when values are dropped.
//! An array leaves only its shape and the place of its bytes behind: what it was put together from is forgotten, unless
//! the pickle asks for it again. Declared lengths are checked against the bytes that are left before anything is allocated, and the number of values
//! is bounded by the size of the file.
//!
//! Why not a crate: `serde-pickle`, the well-kept one, resolves a fixed list of globals without numpy's and has no way
//! to add to it, copies every byte string into values of its own (twice the file in memory), and clones a value each
//! time the memo is asked for it. `candle_core::pickle` knows PyTorch's checkpoints only.

mod array;
mod latin1;
mod machine;
mod scan;
mod text;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use array::Array;
use machine::Machine;
pub(crate) use text::Name;

use crate::Result;
use crate::error::{Form, Mismatch};
use crate::map::Storage;

/// A value of a [`Document`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Id(u32);

/// Bytes of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) len: usize,
}

/// What a pickle can hold here.
#[derive(Debug)]
pub(crate) enum Value {
    None,
    Bool(bool),
    Int(i64),
    Float(f64),
    /// Text in UTF-8, validated where it is read.
    Text(Span),
    /// Text that the file holds in an escaped form.
    OwnedText(Box<str>),
    /// Bytes, or a `str` of Python 2.
    Bytes(Span),
    /// Bytes that the file holds in an escaped form.
    OwnedBytes(Box<[u8]>),
    /// Bytes written as text, one character each: how Python 3 writes them in protocols 0 to 2.
    Latin1(Span),
    /// A list, or a set, whose elements have the order in which they were written.
    List(Vec<Id>),
    Tuple(Box<[Id]>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    /// `numpy.dtype`: the name it was made with, and whether its numbers are big-endian.
    Dtype {
        name: Id,
        big: bool,
    },
    /// A numpy array; `None` until its BUILD.
    Array(Option<Box<Parts>>),
    /// A numpy scalar.
    Scalar {
        dtype: Id,
        data: Id,
    },
}

/// What a numpy array was put together from; checked when it is read.
#[derive(Debug)]
pub(crate) struct Parts {
    shape: Axes,
    dtype: Id,
    order: Order,
    data: Id,
}

/// In which order the numbers of an array lie.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Order {
    /// The last axis varies fastest.
    C,
    /// The first axis varies fastest.
    Fortran,
    /// That of C in an array whose shape is the stored one; then its axes are put into this order. numpy writes so what was
    /// transposed, since version 2.3.
    Transposed(Id),
}

/// The lengths of an array's axes.
#[derive(Debug)]
pub(crate) enum Axes {
    /// A tuple, checked when the array is read.
    Stored(Id),
    /// Read already.
    Known(Box<[u32]>),
}

/// The globals a pickle of numpy arrays needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Global {
    Reconstruct,
    FromBuffer,
    Scalar,
    Ndarray,
    Dtype,
    Encode,
    Bytes,
    OrderedDict,
    DefaultDict,
    Set,
    /// A type that makes the values of a `defaultdict`.
    Factory,
}

impl Global {
    fn find(module: &str, name: &str) -> Option<Global> {
        Some(match (module, name) {
            ("numpy.core.multiarray" | "numpy._core.multiarray", "_reconstruct") => {
                Global::Reconstruct
            }
            ("numpy.core.multiarray" | "numpy._core.multiarray", "scalar") => Global::Scalar,
            ("numpy.core.numeric" | "numpy._core.numeric", "_frombuffer") => Global::FromBuffer,
            ("numpy", "ndarray") => Global::Ndarray,
            ("numpy", "dtype") => Global::Dtype,
            ("_codecs", "encode") => Global::Encode,
            ("builtins" | "__builtin__", "bytes" | "bytearray") => Global::Bytes,
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("collections", "defaultdict") => Global::DefaultDict,
            ("builtins" | "__builtin__", "set" | "frozenset") => Global::Set,
            ("builtins" | "__builtin__", "list" | "dict" | "tuple" | "int") => Global::Factory,
            _ => return None,
        })
    }
}

/// A pickle that has been run: its values, over the bytes of its file.
pub(crate) struct Document {
    path: PathBuf,
    storage: Arc<Storage>,
    values: Vec<Value>,
    root: Id,
}

impl Document {
    /// Runs the pickle in `storage`; `path` is its name in messages.
    pub(crate) fn run(path: &Path, storage: &Arc<Storage>) -> Result<Document> {
        let (values, root) = Machine::new(storage).run().map_err(|fault| {
            let place = format!("byte {}", fault.offset);
            fault.mismatch.at(Form::Pickle, path, place)
        })?;
        Ok(Document {
            path: path.to_owned(),
            storage: Arc::clone(storage),
            values,
            root,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.storage
    }

    pub(crate) fn root(&self) -> Id {
        self.root
    }

    pub(crate) fn value(&self, id: Id) -> &Value {
        &self.values[id.0 as usize]
    }

    /// The text of a value.
    pub(crate) fn text(&self, id: Id) -> Result<&str, Mismatch> {
        let bytes = self
            .text_bytes(id)
            .ok_or_else(|| Mismatch::new("text", self.describe(id)))?;
        std::str::from_utf8(bytes)
            .map_err(|_| Mismatch::new("text in UTF-8", "bytes that are not UTF-8"))
    }

    fn text_bytes(&self, id: Id) -> Option<&[u8]> {
        Some(match self.value(id) {
            Value::Text(span) | Value::Bytes(span) => self.span(*span),
            Value::OwnedText(text) => text.as_bytes(),
            Value::OwnedBytes(bytes) => bytes,
            _ => return None,
        })
    }

    pub(crate) fn span(&self, span: Span) -> &[u8] {
        &self.bytes()[span.start..span.start + span.len]
    }

    /// The elements of a list, tuple, set or flat array of objects.
    pub(crate) fn items(&self, id: Id) -> Result<&[Id], Mismatch> {
        match self.value(id) {
            Value::List(items) => Ok(items),
            Value::Tuple(items) => Ok(items),
            _ => self
                .objects(id)
                .ok_or_else(|| Mismatch::new("a list", self.describe(id))),
        }
    }

    /// The pairs of a dict.
    pub(crate) fn pairs(&self, id: Id) -> Result<&[(Id, Id)], Mismatch> {
        match self.value(id) {
            Value::Dict(pairs) => Ok(pairs),
            _ => Err(Mismatch::new("a dict", self.describe(id))),
        }
    }

    pub(crate) fn is_none(&self, id: Id) -> bool {
        matches!(self.value(id), Value::None)
    }

    /// The value of a key; as in Python the last one set counts.
    pub(crate) fn get(&self, pairs: &[(Id, Id)], key: &str) -> Option<Id> {
        let wanted = key.as_bytes();
        pairs
            .iter()
            .rev()
            .find(|(key, _)| self.text_bytes(*key) == Some(wanted))
            .map(|&(_, value)| value)
    }

    /// An integer, plain or numpy's.
    pub(crate) fn integer(&self, id: Id) -> Result<i64, Mismatch> {
        match self.value(id) {
            Value::Int(value) => Ok(*value),
            Value::Float(value) => {
                let wrong = || Mismatch::new("an integer", self.describe(id));
                whole(*value).ok_or_else(wrong)
            }
            Value::Scalar { dtype, data } => self.scalar(*dtype, *data),
            Value::Array(Some(_)) => {
                let array = self.array(id)?;
                match array.shape.iter().product::<usize>() {
                    1 => array.integer(self),
                    _ => Err(Mismatch::new("an integer", self.describe(id))),
                }
            }
            _ => Err(Mismatch::new("an integer", self.describe(id))),
        }
    }

    /// A value in a few words, for messages.
    pub(crate) fn describe(&self, id: Id) -> String {
        match self.value(id) {
            Value::None => "None".into(),
            Value::Bool(value) => if *value { "True" } else { "False" }.into(),
            Value::Int(value) => format!("the integer {value}"),
            Value::Float(value) => format!("the number {value}"),
            Value::Text(_) | Value::OwnedText(_) => match self.text(id) {
                Ok(text) => format!("the text {:?}", text.chars().take(40).collect::<String>()),
                Err(_) => "text that is not UTF-8".into(),
            },
            Value::Bytes(_) | Value::OwnedBytes(_) | Value::Latin1(_) => "bytes".into(),
            Value::List(items) => format!("a list of {}", items.len()),
            Value::Tuple(items) => format!("a tuple of {}", items.len()),
            Value::Dict(pairs) => format!("a dict of {} keys", pairs.len()),
            Value::Global(global) => format!("the function {global:?}"),
            Value::Dtype { .. } => "a numpy dtype".into(),
            Value::Array(_) => match self.array(id) {
                Ok(array) => format!("a numpy array of shape {:?}", array.shape),
                Err(_) => "a numpy array".into(),
            },
            Value::Scalar { .. } => "a numpy scalar".into(),
        }
    }
}

/// A number that is an integer, as one.
fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64)
}
