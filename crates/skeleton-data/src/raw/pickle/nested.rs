//! Numbers in nested Python lists, where an array belongs: what `np.asarray` would make of them.

use super::array::{Data, MOST_AXES};
use super::{Array, Document, Id, Value};
use crate::error::Mismatch;
use crate::raw::element::Element;

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
