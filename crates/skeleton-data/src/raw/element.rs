//! The number types of numpy.

use half::f16;

use crate::Values;
use crate::error::Mismatch;

/// Makes [`Element`] of a table: its name here, numpy's name, numpy's short name without a byte order, what its numbers are
/// held as, its type in Rust and how one of it becomes one that is held.
macro_rules! elements {
    ($($element:ident $name:literal $short:pat => $values:ident, $type:ty, $convert:expr;)*) => {
        /// What an array holds.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Element {
            $($element,)*
        }

        impl Element {
            /// By numpy's short name, a byte order in front aside.
            fn find(short: &str) -> Option<Element> {
                match short {
                    $($short => Some(Element::$element),)*
                    _ => None,
                }
            }

            /// Bytes of a number.
            pub(crate) fn size(self) -> usize {
                match self {
                    $(Element::$element => size_of::<$type>(),)*
                }
            }

            /// numpy's name for it.
            pub(crate) fn name(self) -> &'static str {
                match self {
                    $(Element::$element => $name,)*
                }
            }

            /// Stored numbers: half precision as it is, everything else in single. Bytes short of a number are left out.
            pub(crate) fn decode(self, bytes: &[u8], big: bool) -> Values {
                match self {
                    $(Element::$element => Values::$values(match big {
                        true => numbers(bytes, |b| $convert(<$type>::from_be_bytes(b))),
                        false => numbers(bytes, |b| $convert(<$type>::from_le_bytes(b))),
                    }),)*
                }
            }
        }
    };
}

elements! {
    F16 "float16" "f2" => F16, f16, |x: f16| x;
    F32 "float32" "f4" => F32, f32, |x: f32| x;
    F64 "float64" "f8" => F32, f64, |x: f64| x as f32;
    I8 "int8" "i1" => F32, i8, f32::from;
    I16 "int16" "i2" => F32, i16, f32::from;
    I32 "int32" "i4" => F32, i32, |x: i32| x as f32;
    I64 "int64" "i8" => F32, i64, |x: i64| x as f32;
    U8 "uint8" "u1" | "b1" => F32, u8, f32::from;
    U16 "uint16" "u2" => F32, u16, f32::from;
    U32 "uint32" "u4" => F32, u32, |x: u32| x as f32;
    U64 "uint64" "u8" => F32, u64, |x: u64| x as f32;
}

impl Element {
    /// By a numpy dtype's name, with whether its numbers are big-endian: `big` where the name doesn't say it.
    pub(crate) fn named(name: &str, big: bool) -> Result<(Element, bool), Mismatch> {
        let short = name.trim_start_matches(['<', '>', '=', '|']);
        let expected = "floats of 16 to 64 bits or integers";
        let wrong = || Mismatch::new(expected, format!("numpy dtype {short:?}"));
        let element = Element::find(short).ok_or_else(wrong)?;
        Ok((element, big || name.starts_with('>')))
    }
}

fn numbers<const N: usize, T>(bytes: &[u8], number: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|&b| number(b)).collect()
}
