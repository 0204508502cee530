//! Text in the forms that Python and numpy give it: `str`, bytes, numpy's scalars and arrays of either, and the integers that
//! serve as names.

use std::borrow::Cow;

use super::array::Data;
use super::latin1::latin1;
use super::{Document, Id, Value};
use crate::error::Mismatch;

/// How numpy holds text: as many bytes for each, zeros behind the shorter ones.
#[derive(Clone, Copy)]
struct TextType {
    /// Bytes of one text.
    width: usize,
    /// Whether they are characters of four bytes (`U`); else they are bytes (`S`).
    wide: bool,
    big: bool,
}

/// A name, and whether the file has it as an integer.
pub(crate) struct Name<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) is_integer: bool,
}

impl<'a> Name<'a> {
    /// Text as a name.
    pub(crate) fn text(text: impl Into<Cow<'a, str>>) -> Name<'a> {
        let (text, is_integer) = (text.into(), false);
        Name { text, is_integer }
    }

    fn integer(value: i64) -> Name<'static> {
        let (text, is_integer) = (value.to_string().into(), true);
        Name { text, is_integer }
    }
}

impl Document {
    /// A name: text in any form, or an integer, which is read as its digits.
    pub(crate) fn name(&self, id: Id) -> Result<Name<'_>, Mismatch> {
        match self.value(id) {
            Value::Int(value) => Ok(Name::integer(*value)),
            Value::Latin1(_) => {
                let bytes = self.all_bytes(id).unwrap_or_default();
                utf8(bytes).map(Name::text)
            }
            Value::Scalar { dtype, data } => match self.text_type(*dtype)? {
                Some(text) => text.read(&self.all_bytes(*data)?, 0).map(Name::text),
                None if self.is_object(*dtype) => self.text(*data).map(Name::text),
                None => self.scalar(*dtype, *data).map(Name::integer),
            },
            Value::Array(Some(_)) => {
                let mut only = None;
                self.each_of_array(id, &[], &mut |name| {
                    only = Some(name.text.into_owned());
                    Ok(())
                })?;
                Ok(Name::text(only.unwrap_or_default()))
            }
            Value::Float(value) => {
                let found = format!("the number {value}; str(x) makes text of it");
                Err(Mismatch::new("text or an integer", found))
            }
            _ => self.text(id).map(Name::text),
        }
    }

    /// Shows the names in a list, a tuple, a set, or a numpy array of text, integers or objects to `visit`.
    pub(crate) fn each_name(
        &self,
        id: Id,
        visit: &mut dyn FnMut(Name) -> Result<(), Mismatch>,
    ) -> Result<(), Mismatch> {
        if let Ok(items) = self.items(id) {
            return items.iter().try_for_each(|&item| visit(self.name(item)?));
        }
        let Value::Array(Some(parts)) = self.value(id) else {
            return Err(Mismatch::new("a list of ids", self.describe(id)));
        };
        match self.shape(&parts.shape)?[..] {
            [len] => self.each_of_array(id, &[len], visit),
            _ => {
                let found = format!("{}; .ravel() makes it one", self.describe(id));
                Err(Mismatch::new("a flat list of ids", found))
            }
        }
    }

    /// The same of an array of text or integers, which must have this shape, of one axis at most.
    fn each_of_array(
        &self,
        id: Id,
        shape: &[usize],
        visit: &mut dyn FnMut(Name) -> Result<(), Mismatch>,
    ) -> Result<(), Mismatch> {
        let Value::Array(Some(parts)) = self.value(id) else {
            return Err(Mismatch::new("a numpy array", self.describe(id)));
        };
        let Some(text) = self.text_type(parts.dtype)? else {
            let array = self.array(id)?;
            if array.shape != shape {
                return Err(Mismatch::new("text or an integer", self.describe(id)));
            }
            return array.integers(self, &mut |value| visit(Name::integer(value)));
        };
        if self.shape(&parts.shape)? != shape {
            return Err(Mismatch::new("one text", self.describe(id)));
        }
        let (bytes, len) = (self.all_bytes(parts.data)?, shape.iter().product::<usize>());
        if text.width.checked_mul(len) != Some(bytes.len()) {
            let expected = format!("the bytes of {len} texts of {} bytes", text.width);
            return Err(Mismatch::new(expected, format!("{} bytes", bytes.len())));
        }
        (0..len).try_for_each(|at| visit(Name::text(text.read(&bytes, at)?)))
    }

    /// The elements of an array of Python objects with one axis.
    pub(super) fn objects(&self, id: Id) -> Option<&[Id]> {
        let Value::Array(Some(parts)) = self.value(id) else {
            return None;
        };
        let Value::List(items) = self.value(parts.data) else {
            return None;
        };
        let is_flat = self.shape(&parts.shape).is_ok_and(|s| s == [items.len()]);
        (is_flat && self.is_object(parts.dtype)).then_some(items)
    }

    /// A dtype's name, without a byte order, and whether its numbers are big-endian.
    fn dtype(&self, dtype: Id) -> Option<(&str, bool)> {
        let Value::Dtype { name, big } = self.value(dtype) else {
            return None;
        };
        let name = self.text(*name).ok()?;
        let short = name.trim_start_matches(['<', '>', '=', '|']);
        Some((short, *big || name.starts_with('>')))
    }

    pub(super) fn is_object(&self, dtype: Id) -> bool {
        self.dtype(dtype)
            .is_some_and(|(name, _)| matches!(name, "O" | "O8"))
    }

    /// The text that a dtype holds; `None` where it is of something else.
    fn text_type(&self, dtype: Id) -> Result<Option<TextType>, Mismatch> {
        let Some((name, big)) = self.dtype(dtype) else {
            return Ok(None);
        };
        let (wide, len) = match name.split_at_checked(1) {
            Some(("U", len)) => (true, len),
            Some(("S" | "a", len)) => (false, len),
            _ => return Ok(None),
        };
        // A text of no bytes could be there any number of times.
        let width = len.parse().ok().filter(|&len: &usize| len > 0);
        let width = width.and_then(|len| len.checked_mul(if wide { 4 } else { 1 }));
        match width {
            Some(width) => Ok(Some(TextType { width, wide, big })),
            None => {
                let found = format!("numpy dtype {name:?}");
                Err(Mismatch::new("text of one character or more", found))
            }
        }
    }

    /// The bytes of a value, however many.
    fn all_bytes(&self, id: Id) -> Result<Cow<'_, [u8]>, Mismatch> {
        match self.data(id) {
            Some(Data::Raw(span)) => Ok(Cow::Borrowed(self.span(span))),
            Some(Data::Owned(id)) => Ok(Cow::Borrowed(self.owned(id))),
            Some(Data::Latin1(span)) => {
                let text = self.span(span);
                let len = text.iter().filter(|&byte| byte & 0xc0 != 0x80).count();
                latin1(text, len).map(Cow::Owned)
            }
            _ => Err(Mismatch::new("the bytes of text", self.describe(id))),
        }
    }
}

impl TextType {
    /// Text `at` of those that lie one after the other.
    fn read(self, bytes: &[u8], at: usize) -> Result<String, Mismatch> {
        let wrong = || Mismatch::new("numpy's text", "bytes that are none");
        let bytes = bytes.get(at * self.width..).ok_or_else(wrong)?;
        let bytes = bytes.get(..self.width).ok_or_else(wrong)?;
        if !self.wide {
            let len = bytes
                .iter()
                .rposition(|&byte| byte != 0)
                .map_or(0, |x| x + 1);
            return utf8(bytes[..len].into()).map(Cow::into_owned);
        }
        let characters = bytes.as_chunks().0.iter().map(|&bytes| match self.big {
            true => u32::from_be_bytes(bytes),
            false => u32::from_le_bytes(bytes),
        });
        let text: Option<String> = characters.map(char::from_u32).collect();
        let mut text = text.ok_or_else(wrong)?;
        text.truncate(text.trim_end_matches('\0').len());
        Ok(text)
    }
}

fn utf8(bytes: Cow<[u8]>) -> Result<Cow<str>, Mismatch> {
    let wrong = || Mismatch::new("text in UTF-8", "bytes that are not UTF-8");
    Ok(match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(std::str::from_utf8(bytes).map_err(|_| wrong())?),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8(bytes).map_err(|_| wrong())?),
    })
}
