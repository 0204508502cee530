//! numpy arrays in a pickle, decoded from where they lie.

use std::borrow::Cow;

use super::super::element::Element;
use super::latin1::latin1;
use super::{Axes, Document, Id, Order, Span, Value};
use crate::Values;
use crate::error::Mismatch;

/// numpy allows 64; annotations have four.
pub(super) const MOST_AXES: usize = 8;

/// Where the bytes of an array are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Data {
    /// As they are in memory.
    Raw(Span),
    /// As text, a character for a byte.
    Latin1(Span),
    /// In a value that had to be unescaped.
    Owned(Id),
    /// Numbers in nested lists.
    Nested(Id),
}

/// What makes an array of numbers of almost anything.
const AS_NUMBERS: &str = "as np.asarray(..., dtype=np.float32) makes them,";

/// An array whose shape agrees with its bytes.
#[derive(Clone, Debug)]
pub(crate) struct Array {
    pub(crate) shape: Vec<usize>,
    pub(crate) element: Element,
    big: bool,
    /// How many numbers further the next one along an axis lies; none where they lie in order.
    strides: Option<Vec<usize>>,
    data: Data,
}

impl Document {
    /// A numpy array of numbers, or nested lists of them, checked but not decoded.
    pub(crate) fn numbers(&self, id: Id) -> Result<Array, Mismatch> {
        match self.value(id) {
            Value::List(_) | Value::Tuple(_) => self.nested(id),
            _ => self.array(id),
        }
    }

    /// A numpy array, checked but not decoded.
    pub(crate) fn array(&self, id: Id) -> Result<Array, Mismatch> {
        let Value::Array(parts) = self.value(id) else {
            return Err(Mismatch::new("a numpy array", self.describe(id)));
        };
        let parts = parts
            .as_ref()
            .ok_or_else(|| Mismatch::new("a numpy array", "one without data"))?;
        let (element, big) = self.element(parts.dtype)?;
        let stored = self.shape(&parts.shape)?;
        let (shape, strides) = self.laid_out(stored, parts.order)?;
        let len = shape
            .iter()
            .try_fold(element.size(), |len, &axis| len.checked_mul(axis));
        let data = self
            .data(parts.data)
            .ok_or_else(|| match self.value(parts.data) {
                Value::List(_) => {
                    Mismatch::new("an array of numbers", "an array of Python objects")
                }
                _ => Mismatch::new("the bytes of an array", self.describe(parts.data)),
            })?;
        let fits = len.is_some_and(|len| match data {
            Data::Raw(span) => span.len == len,
            // A character of Latin-1 takes one or two bytes of UTF-8; how many there are shows when they are decoded.
            Data::Latin1(span) => span.len >= len && span.len / 2 <= len,
            Data::Owned(_) => self.owned(parts.data).len() == len,
            Data::Nested(_) => false,
        });
        if !fits {
            let expected = format!("the bytes of {} numbers of shape {shape:?}", element.name());
            return Err(Mismatch::new(expected, "another number of bytes"));
        }
        Ok(Array {
            shape,
            element,
            big,
            strides,
            data,
        })
    }

    /// The shape of an array of this stored shape, and its strides.
    fn laid_out(
        &self,
        stored: Vec<usize>,
        order: Order,
    ) -> Result<(Vec<usize>, Option<Vec<usize>>), Mismatch> {
        // Saturating: a shape that is too large doesn't have its bytes and is refused for that.
        let product = |axes: &[usize]| axes.iter().fold(1usize, |n, &axis| n.saturating_mul(axis));
        match order {
            Order::C => Ok((stored, None)),
            Order::Fortran => {
                let strides = (0..stored.len()).map(|axis| product(&stored[..axis]));
                let strides = strides.collect();
                Ok((stored, Some(strides)))
            }
            Order::Transposed(axes) => {
                let axes = self.shape(&Axes::Stored(axes))?;
                let mut sorted = axes.clone();
                sorted.sort_unstable();
                if !sorted.iter().copied().eq(0..stored.len()) {
                    let expected = format!("an order of {} axes", stored.len());
                    return Err(Mismatch::new(expected, format!("{axes:?}")));
                }
                let strides = axes.iter().map(|&axis| product(&stored[axis + 1..]));
                let strides = strides.collect();
                let shape = axes.iter().map(|&axis| stored[axis]).collect();
                Ok((shape, Some(strides)))
            }
        }
    }

    pub(super) fn shape(&self, axes: &Axes) -> Result<Vec<usize>, Mismatch> {
        let axes = match axes {
            Axes::Known(axes) => return Ok(axes.iter().map(|&axis| axis as usize).collect()),
            Axes::Stored(axes) => self.items(*axes)?,
        };
        if axes.len() > MOST_AXES {
            let expected = format!("at most {MOST_AXES} axes");
            return Err(Mismatch::new(expected, axes.len().to_string()));
        }
        axes.iter().map(|&axis| self.integer_axis(axis)).collect()
    }

    /// An axis is a plain integer: an array in its place could hold itself.
    fn integer_axis(&self, id: Id) -> Result<usize, Mismatch> {
        match self.value(id) {
            Value::Int(axis) => usize::try_from(*axis)
                .map_err(|_| Mismatch::new("an axis of 0 or more", axis.to_string())),
            _ => Err(Mismatch::new("an integer for each axis", "another value")),
        }
    }

    fn element(&self, dtype: Id) -> Result<(Element, bool), Mismatch> {
        let Value::Dtype { name, big } = self.value(dtype) else {
            return Err(Mismatch::new("a numpy dtype", "another value"));
        };
        let remedy = |e: Mismatch| Mismatch::new(format!("{}, {AS_NUMBERS}", e.expected), e.found);
        Element::named(self.text(*name)?, *big).map_err(remedy)
    }

    /// Where the bytes of a value are.
    pub(super) fn data(&self, id: Id) -> Option<Data> {
        match self.value(id) {
            Value::Bytes(span) => Some(Data::Raw(*span)),
            Value::Latin1(span) => Some(Data::Latin1(*span)),
            Value::OwnedBytes(_) => Some(Data::Owned(id)),
            _ => None,
        }
    }

    pub(super) fn owned(&self, id: Id) -> &[u8] {
        match self.value(id) {
            Value::OwnedBytes(bytes) => bytes,
            _ => &[],
        }
    }

    /// A numpy scalar as an integer.
    pub(super) fn scalar(&self, dtype: Id, data: Id) -> Result<i64, Mismatch> {
        self.scalar_array(dtype, data)?.integer(self)
    }

    /// A numpy scalar as an array without axes.
    pub(super) fn scalar_array(&self, dtype: Id, data: Id) -> Result<Array, Mismatch> {
        let (element, big) = self.element(dtype)?;
        let wrong = || Mismatch::new("the bytes of a numpy scalar", "another value");
        let data = self.data(data).ok_or_else(wrong)?;
        let len = match data {
            Data::Raw(span) => span.len,
            Data::Latin1(span) => span.len.min(element.size()),
            Data::Owned(id) => self.owned(id).len(),
            Data::Nested(_) => 0,
        };
        if len != element.size() {
            let expected = format!("{} bytes of a {}", element.size(), element.name());
            return Err(Mismatch::new(expected, len.to_string()));
        }
        Ok(Array {
            big,
            ..Array::new(vec![], element, data)
        })
    }
}

impl Array {
    /// Numbers in order, the least significant byte first.
    pub(super) fn new(shape: Vec<usize>, element: Element, data: Data) -> Array {
        Array {
            shape,
            element,
            big: false,
            strides: None,
            data,
        }
    }

    /// The bytes of the file this array takes.
    pub(crate) fn stored(&self) -> usize {
        match self.data {
            Data::Raw(span) | Data::Latin1(span) => span.len,
            Data::Owned(_) | Data::Nested(_) => self.len() * self.element.size(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.shape.iter().product()
    }

    fn bytes<'a>(&self, document: &'a Document) -> Result<Cow<'a, [u8]>, Mismatch> {
        Ok(match self.data {
            Data::Raw(span) => Cow::Borrowed(document.span(span)),
            Data::Owned(id) => Cow::Borrowed(document.owned(id)),
            Data::Latin1(span) => Cow::Owned(latin1(
                document.span(span),
                self.len() * self.element.size(),
            )?),
            Data::Nested(id) => {
                let mut bytes = Vec::with_capacity(self.len() * self.element.size());
                document.each_number(id, &self.shape, &mut |x| bytes.extend(x.to_le_bytes()))?;
                Cow::Owned(bytes)
            }
        })
    }

    /// The numbers in row-major order: half precision as it is, everything else in single.
    pub(crate) fn values(&self, document: &Document) -> Result<Values, Mismatch> {
        let bytes = self.bytes(document)?;
        Ok(match self.element.decode(&bytes, self.big) {
            Values::F16(numbers) => Values::F16(self.row_major(numbers)),
            Values::F32(numbers) => Values::F32(self.row_major(numbers)),
        })
    }

    /// The only number, as an integer.
    pub(super) fn integer(&self, document: &Document) -> Result<i64, Mismatch> {
        self.to_integer(&self.bytes(document)?)
    }

    /// Shows all numbers to `visit` as integers, in the order in which they lie.
    pub(crate) fn integers(
        &self,
        document: &Document,
        visit: &mut dyn FnMut(i64) -> Result<(), Mismatch>,
    ) -> Result<(), Mismatch> {
        let bytes = self.bytes(document)?;
        let mut numbers = bytes.chunks_exact(self.element.size());
        numbers.try_for_each(|number| visit(self.to_integer(number)?))
    }

    /// One number as an integer.
    fn to_integer(&self, bytes: &[u8]) -> Result<i64, Mismatch> {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        if self.big {
            wide[..bytes.len()].reverse();
        }
        let negative = wide[..bytes.len()].last().is_some_and(|&b| b >= 0x80);
        match self.element {
            Element::I8 | Element::I16 | Element::I32 | Element::I64 => {
                if negative {
                    wide[bytes.len()..].fill(0xff);
                }
                Ok(i64::from_le_bytes(wide))
            }
            Element::U8 | Element::U16 | Element::U32 | Element::U64 => {
                let value = u64::from_le_bytes(wide);
                i64::try_from(value)
                    .map_err(|_| Mismatch::new("an integer of 63 bits", value.to_string()))
            }
            element => {
                let value = match element {
                    Element::F64 => f64::from_le_bytes(wide),
                    element => element.decode(bytes, self.big).view().get(0).into(),
                };
                let found = format!("a {} of {value}", element.name());
                let integer = super::whole(value);
                integer.ok_or_else(|| Mismatch::new("an integer", found))
            }
        }
    }

    /// The numbers as they lie to row-major.
    fn row_major<T: Copy>(&self, source: Vec<T>) -> Vec<T> {
        let Some(strides) = &self.strides else {
            return source;
        };
        let mut index = vec![0; self.shape.len()];
        let mut at = 0;
        let mut out = Vec::with_capacity(source.len());
        for _ in 0..source.len() {
            out.push(source[at]);
            for axis in (0..index.len()).rev() {
                index[axis] += 1;
                at += strides[axis];
                if index[axis] < self.shape[axis] {
                    break;
                }
                at -= strides[axis] * index[axis];
                index[axis] = 0;
            }
        }
        out
    }
}

// Numbers in nested Python lists, where an array belongs: what `np.asarray` would make of them.

/// What lists must be to be read as an array.
const REGULAR: &str = "numbers in lists of one length each, or an array, as np.asarray(..., dtype=np.float32) makes one,";

impl Document {
    /// Nested lists of numbers as an array of single precision.
    pub(super) fn nested(&self, id: Id) -> Result<Array, Mismatch> {
        let mut shape = Vec::new();
        let mut first = Some(id);
        while let Some(items) = first.and_then(|id| self.sequence(id)) {
            if shape.len() == MOST_AXES {
                let expected = format!("lists at most {MOST_AXES} deep");
                return Err(Mismatch::new(expected, "deeper ones"));
            }
            shape.push(items.len());
            first = items.first().copied();
        }
        // Lists are shared by reference, so that a small file can hold as many as it likes.
        let visits = shape.iter().map(|&len| len.max(1));
        if visits.fold(1usize, usize::saturating_mul) > self.bytes().len() {
            let expected = "numbers that the file holds";
            return Err(Mismatch::new(expected, "the same list in many places"));
        }
        self.each_number(id, &shape, &mut |_| ())?;
        Ok(Array::new(shape, Element::F32, Data::Nested(id)))
    }

    /// Shows the numbers of regular lists to `visit`. It recurses as deep as the shape has axes.
    pub(super) fn each_number(
        &self,
        id: Id,
        shape: &[usize],
        visit: &mut dyn FnMut(f32),
    ) -> Result<(), Mismatch> {
        let [len, inner @ ..] = shape else {
            visit(self.number(id)?);
            return Ok(());
        };
        let items = self.sequence(id).filter(|items| items.len() == *len);
        let wrong = || {
            let expected = format!("numbers in lists of one length each, {len} here,");
            Mismatch::new(expected, self.describe(id))
        };
        let mut items = items.ok_or_else(wrong)?.iter();
        items.try_for_each(|&item| self.each_number(item, inner, visit))
    }

    /// A list or tuple, but no array of objects.
    fn sequence(&self, id: Id) -> Option<&[Id]> {
        match self.value(id) {
            Value::List(items) => Some(items),
            Value::Tuple(items) => Some(items),
            _ => None,
        }
    }

    fn number(&self, id: Id) -> Result<f32, Mismatch> {
        match self.value(id) {
            Value::Int(value) => Ok(*value as f32),
            Value::Float(value) => Ok(*value as f32),
            Value::Scalar { dtype, data } => {
                let values = self.scalar_array(*dtype, *data)?.values(self)?;
                Ok(values.view().get(0))
            }
            _ => Err(Mismatch::new(REGULAR, self.describe(id))),
        }
    }
}
