//! A confusion matrix as a picture of points, since TensorBoard takes no drawings.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::failure::{Failure, Outcome};
use crate::report::{Evaluation, shade};

/// About as many points as the matrix is wide.
const SIDE: usize = 720;
/// Classes whose matrix is drawn: a cell is at least a point.
const MOST: usize = 2000;
const WHITE: [u8; 3] = [255; 3];
const INK: [u8; 3] = [60, 64, 72];
const LINE: [u8; 3] = [233, 235, 239];

/// Ten digits of 3 x 5 points: a row is three bits, the left one first.
const DIGITS: [[u8; 5]; 10] = [
    [0b111, 0b101, 0b101, 0b101, 0b111],
    [0b010, 0b110, 0b010, 0b010, 0b111],
    [0b111, 0b001, 0b111, 0b100, 0b111],
    [0b111, 0b001, 0b011, 0b001, 0b111],
    [0b101, 0b101, 0b111, 0b001, 0b001],
    [0b111, 0b100, 0b111, 0b001, 0b111],
    [0b111, 0b100, 0b111, 0b101, 0b111],
    [0b111, 0b001, 0b010, 0b010, 0b010],
    [0b111, 0b101, 0b111, 0b101, 0b111],
    [0b111, 0b101, 0b111, 0b001, 0b111],
];

/// A picture, row by row from the top, three bytes a point.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    pub width: usize,
    pub height: usize,
    points: Vec<u8>,
}

/// Rows are true classes, columns guesses, both by their numbers from 0; a cell is the darker the larger its share of the row, and
/// has its count where there is room. None of no class, or of more than two thousand.
pub fn confusion(evaluation: &Evaluation) -> Option<Picture> {
    let k = evaluation.confusion.len();
    if k == 0 || k > MOST {
        return None;
    }
    let cell = (SIDE / k).clamp(1, 40);
    let margin = text_width(k - 1, 2) + 8;
    let side = margin + cell * k + 8;
    let mut picture = Picture::white(side, side);
    for (row, counts) in evaluation.confusion.iter().enumerate() {
        let all: u64 = counts.iter().sum();
        for (column, &n) in counts.iter().enumerate().take(k) {
            let share = n as f64 / all.max(1) as f64;
            let at = (margin + cell * column, margin + cell * row);
            picture.fill(at, (cell, cell), shade(share));
            if cell >= 8 {
                picture.fill(at, (cell, 1), LINE);
                picture.fill(at, (1, cell), LINE);
            }
            let ink = if share > 0.3 { WHITE } else { INK };
            if let Ok(n) = usize::try_from(n)
                && n > 0
            {
                picture.number(n, (at, cell), ink);
            }
        }
    }
    // Numbers below each other need 12 points, beside each other as many as the widest has.
    let every = (text_width(k - 1, 2) + 4).max(12).div_ceil(cell);
    for class in (0..k).step_by(every) {
        let start = margin + cell * class;
        let (width, middle) = (text_width(class, 2), cell / 2);
        picture.text(
            class,
            (margin - 4 - width, (start + middle).saturating_sub(5)),
            2,
            INK,
        );
        picture.text(
            class,
            ((start + middle).saturating_sub(width / 2), margin - 14),
            2,
            INK,
        );
    }
    Some(picture)
}

/// Points that a number is wide.
fn text_width(number: usize, scale: usize) -> usize {
    (4 * number.to_string().len() - 1) * scale
}

impl Picture {
    fn white(width: usize, height: usize) -> Picture {
        Picture {
            width,
            height,
            points: vec![255; 3 * width * height],
        }
    }

    /// Paints a rectangle; what lies outside of the picture is left out.
    fn fill(&mut self, (x, y): (usize, usize), (width, height): (usize, usize), colour: [u8; 3]) {
        for y in y..(y + height).min(self.height) {
            for x in x..(x + width).min(self.width) {
                let at = 3 * (y * self.width + x);
                self.points[at..at + 3].copy_from_slice(&colour);
            }
        }
    }

    /// A number, each point of its digits `scale` points wide.
    fn text(&mut self, number: usize, (x, y): (usize, usize), scale: usize, colour: [u8; 3]) {
        for (place, digit) in number.to_string().bytes().enumerate() {
            for (row, bits) in DIGITS[usize::from(digit - b'0')].iter().enumerate() {
                for column in (0..3).filter(|column| bits >> (2 - column) & 1 == 1) {
                    let at = (x + (4 * place + column) * scale, y + row * scale);
                    self.fill(at, (scale, scale), colour);
                }
            }
        }
    }

    /// A number in the middle of a square, as large as it has room; nothing where it has none.
    fn number(&mut self, number: usize, ((x, y), side): ((usize, usize), usize), colour: [u8; 3]) {
        let fits = |scale: &usize| text_width(number, *scale) + 4 <= side && 5 * scale + 4 <= side;
        if let Some(scale) = [2, 1].into_iter().find(fits) {
            let (width, height) = (text_width(number, scale), 5 * scale);
            let at = (x + (side - width) / 2, y + (side - height) / 2);
            self.text(number, at, scale, colour);
        }
    }

    /// The picture as PNG (W3C, third edition): 8 bits a colour, each row as it is.
    pub fn png(&self) -> Outcome<Vec<u8>> {
        let length = |n: usize| u32::try_from(n).expect("a picture of at most 2,100 points a side");
        let mut header = length(self.width).to_be_bytes().to_vec();
        header.extend(length(self.height).to_be_bytes());
        // 8 bits of red, green and blue; deflate; the five filters; not interlaced.
        header.extend([8, 2, 0, 0, 0]);
        let mut packed = ZlibEncoder::new(Vec::new(), Compression::default());
        let mut rows = self.points.chunks(3 * self.width);
        let packed = rows
            .try_for_each(|row| packed.write_all(&[0]).and_then(|()| packed.write_all(row)))
            .and_then(|()| packed.finish())
            .map_err(|error| Failure::error(format!("packing a picture: {error}")))?;
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        for (kind, data) in [(b"IHDR", header), (b"IDAT", packed), (b"IEND", Vec::new())] {
            bytes.extend(length(data.len()).to_be_bytes());
            let mut sum = Crc::new();
            sum.update(kind);
            sum.update(&data);
            bytes.extend(kind);
            bytes.extend(data);
            bytes.extend(sum.sum().to_be_bytes());
        }
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(k: usize) -> Evaluation {
        let row = |i: usize| (0..k).map(|j| if i == j { 12 } else { 0 }).collect();
        Evaluation {
            confusion: (0..k).map(row).collect(),
            classes: (0..k).map(|i| format!("class {i}")).collect(),
            ..crate::report::evaluation()
        }
    }

    fn point(picture: &Picture, x: usize, y: usize) -> [u8; 3] {
        let at = 3 * (y * picture.width + x);
        [0, 1, 2].map(|colour| picture.points[at + colour])
    }

    #[test]
    fn right_guesses_are_dark_on_the_diagonal() {
        for k in [1, 3, 60, 400, 2000] {
            let picture = confusion(&evaluation(k)).unwrap();
            let (cell, margin) = ((SIDE / k).clamp(1, 40), text_width(k - 1, 2) + 8);
            let last = |class: usize| margin + cell * (class + 1) - 1;
            for class in [0, k / 2, k - 1] {
                assert_eq!(point(&picture, last(class), last(class)), shade(1.0), "{k}");
                let other = (class + 1) % k;
                if other != class {
                    assert_eq!(point(&picture, last(other), last(class)), WHITE, "{k}");
                }
            }
        }
        assert!(confusion(&evaluation(0)).is_none());
    }

    #[test]
    fn a_damaged_matrix_is_no_panic() {
        let mut ragged = evaluation(3);
        ragged.confusion[1] = vec![u64::MAX / 4; 9];
        ragged.confusion[2].clear();
        assert!(confusion(&ragged).is_some());
    }

    #[test]
    fn digits_are_where_they_belong() {
        let mut picture = Picture::white(11, 5);
        picture.text(17, (0, 0), 1, INK);
        let rows: Vec<String> = (0..5)
            .map(|y| {
                (0..7)
                    .map(|x| {
                        if point(&picture, x, y) == INK {
                            '#'
                        } else {
                            '.'
                        }
                    })
                    .collect()
            })
            .collect();
        assert_eq!(
            rows,
            [".#..###", "##....#", ".#...#.", ".#...#.", "###..#."]
        );
    }

    /// The checksum of the chunk at the end is the one in every PNG.
    #[test]
    fn the_file_has_three_chunks() {
        let bytes = Picture::white(3, 2).png().unwrap();
        assert_eq!(
            bytes[8..33],
            *b"\0\0\0\x0dIHDR\0\0\0\x03\0\0\0\x02\x08\x02\0\0\0\x12\x16\xf1\x4d"
        );
        assert!(bytes.ends_with(b"\0\0\0\0IEND\xae\x42\x60\x82"));
    }
}
