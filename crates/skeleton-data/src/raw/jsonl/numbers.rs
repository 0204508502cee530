//! Nested lists of numbers, as `array.tolist()` writes them.
//!
//! They are read by hand and not by serde_json. Into lists of lists it would take some fifty bytes a joint, whose numbers take eight,
//! and errors would not name the joint; level by level as raw values, it takes twice as long for a file (2.3 s for 181 MB, against
//! 1.2 s).

use half::f16;

use super::header::NumberType;
use crate::Values;
use crate::error::Mismatch;

/// The lengths of the axes (m, t, v, c), where they are known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape(pub(super) [Option<usize>; 4]);

const AXES: [&str; 4] = ["person", "frame", "joint", "coordinate"];

/// How many numbers the first list of numbers has.
pub(super) fn coordinates(text: &str) -> Option<usize> {
    let mut open = None;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'[' => open = Some(at),
            b'-' | b'0'..=b'9' => {
                let inner = text.get(open?..)?.split(']').next()?;
                return Some(inner.matches(',').count() + 1);
            }
            _ => {}
        }
    }
    None
}

/// Reads keypoints (four axes; a joint may be null) or scores (three; a score may be null) of JSON that is whole.
/// Axes whose length is known must have it; the others get that of their first list.
pub(super) fn nested(
    text: &str,
    shape: Shape,
    keypoints: bool,
) -> Result<(Shape, Vec<f32>), Mismatch> {
    let mut reader = Reader {
        text,
        at: 0,
        shape,
        last: if keypoints { 3 } else { 2 },
        place: [0; 4],
        numbers: Vec::new(),
    };
    reader.list(0)?;
    Ok((reader.shape, reader.numbers))
}

/// Numbers as the file says that they were stored.
pub(super) fn typed(numbers: Vec<f32>, kind: NumberType) -> Result<Values, Mismatch> {
    match kind {
        NumberType::F32 => Ok(Values::F32(numbers)),
        NumberType::F16 => {
            let halves: Vec<f16> = numbers.iter().map(|&x| f16::from_f32(x)).collect();
            match halves.iter().position(|x| !x.is_finite()) {
                Some(at) => {
                    let expected = "numbers that f16 can hold";
                    Err(Mismatch::new(expected, numbers[at].to_string()))
                }
                None => Ok(Values::F16(halves)),
            }
        }
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    shape: Shape,
    /// The axis of plain numbers.
    last: usize,
    place: [usize; 4],
    numbers: Vec<f32>,
}

impl<'a> Reader<'a> {
    fn wrong(&self, axis: usize, expected: &str, found: &str) -> Mismatch {
        let place = (0..axis).map(|axis| format!("{} {}", AXES[axis], self.place[axis]));
        let place: Vec<String> = place.collect();
        let of = if place.is_empty() { "" } else { " in " };
        let expected = format!("{expected}{of}{}", place.join(", "));
        Mismatch::new(expected, found.chars().take(40).collect::<String>())
    }

    fn peek(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or(0)
    }

    fn token(&self) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let end = rest.find([',', ']', ' ', '\t', '\r', '\n']);
        &rest[..end.unwrap_or(rest.len())]
    }

    /// A list along `axis`; four levels at most.
    fn list(&mut self, axis: usize) -> Result<(), Mismatch> {
        if self.peek() != b'[' {
            let token = self.token();
            return Err(self.wrong(axis, &format!("a list of {}s", AXES[axis]), token));
        }
        self.at += 1;
        let (mut len, mut next) = (0, self.peek());
        while next != b']' {
            self.place[axis] = len;
            self.element(axis)?;
            len += 1;
            next = self.peek();
            match next {
                b',' => self.at += 1,
                b']' => {}
                _ => {
                    let expected = "a comma or the end of the list";
                    return Err(self.wrong(axis + 1, expected, "another sign"));
                }
            }
        }
        self.at += 1;
        let known = self.shape.0[axis].get_or_insert(len);
        if *known != len {
            let expected = format!("{known} {}s", AXES[axis]);
            return Err(self.wrong(axis, &expected, &len.to_string()));
        }
        Ok(())
    }

    fn element(&mut self, axis: usize) -> Result<(), Mismatch> {
        // Only a joint may be null, be it its coordinates or its score.
        if axis == 2 && self.peek() == b'n' && self.token() == "null" {
            let width = match self.last {
                2 => 1,
                _ => self.shape.0[3].unwrap_or(0),
            };
            self.numbers.extend(std::iter::repeat_n(0.0, width));
            self.at += 4;
            return Ok(());
        }
        if axis < self.last {
            return self.list(axis + 1);
        }
        self.peek();
        let token = self.token();
        let (number, len) = (token.parse::<f32>(), token.len());
        match number {
            Ok(number) if number.is_finite() => self.numbers.push(number),
            _ => return Err(self.wrong(axis + 1, "a finite number", token)),
        }
        self.at += len;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FREE: Shape = Shape([None; 4]);

    fn shape(lengths: [usize; 4]) -> Shape {
        Shape(lengths.map(Some))
    }

    #[test]
    fn lists_are_read_with_their_shape() {
        let text = "[ [[[1, -2.5e1],[0,3]], [[4,5] ,[6,7]]] ]";
        let (found, numbers) = nested(text, FREE, true).unwrap();
        assert_eq!(found, shape([1, 2, 2, 2]));
        assert_eq!(numbers, [1.0, -25.0, 0.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
        let known = Shape([None, None, None, Some(2)]);
        let (_, numbers) = nested("[[[null,[1,2]]]]", known, true).unwrap();
        assert_eq!(numbers, [0.0, 0.0, 1.0, 2.0]);
        let (found, numbers) = nested("[[[1,null]]]", FREE, false).unwrap();
        assert_eq!(
            (&found.0[..3], &numbers[..]),
            (&[Some(1), Some(1), Some(2)][..], &[1.0, 0.0][..])
        );
        assert_eq!(
            nested("[]", FREE, true).unwrap().0.0,
            [Some(0), None, None, None]
        );
        assert_eq!(coordinates("[[[null,[ 1, 2, 3]]]]"), Some(3));
        assert_eq!(coordinates("[[[null]]]"), None);
    }

    #[test]
    fn ragged_lists_say_where() {
        for (text, expected) in [
            (
                "[[[[1,2],[3]]]]",
                "2 coordinates in person 0, frame 0, joint 1",
            ),
            ("[[[[1,2],[3,4]],[[5,6]]]]", "2 joints in person 0, frame 1"),
            ("[[[[1,2]]],[]]", "1 frames in person 1"),
            (
                "[[[1,2]]]",
                "a list of coordinates in person 0, frame 0, joint 0",
            ),
            (
                "[[[[1,1e99]]]]",
                "a finite number in person 0, frame 0, joint 0, coordinate 1",
            ),
            ("[[[[1,true]]]]", "a finite number"),
            ("[[[[1,null]]]]", "a finite number"),
            ("[[null]]", "a list of joints in person 0, frame 0"),
            ("7", "a list of persons"),
            ("{}", "a list of persons"),
        ] {
            let wrong = nested(text, FREE, true).unwrap_err();
            assert!(wrong.expected.contains(expected), "{text}: {wrong:?}");
        }
    }
}
