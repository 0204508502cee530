//! The number types of numpy.

use half::f16;

use crate::Values;

/// What an array holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    F16,
    F32,
    F64,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
}

impl Element {
    /// By numpy's short name, a byte order in front aside.
    pub(crate) fn find(name: &str) -> Option<Element> {
        Some(match name {
            "f2" => Element::F16,
            "f4" => Element::F32,
            "f8" => Element::F64,
            "i1" => Element::I8,
            "i2" => Element::I16,
            "i4" => Element::I32,
            "i8" => Element::I64,
            "u1" | "b1" => Element::U8,
            "u2" => Element::U16,
            "u4" => Element::U32,
            "u8" => Element::U64,
            _ => return None,
        })
    }

    pub(crate) fn size(self) -> usize {
        match self {
            Element::I8 | Element::U8 => 1,
            Element::F16 | Element::I16 | Element::U16 => 2,
            Element::F32 | Element::I32 | Element::U32 => 4,
            Element::F64 | Element::I64 | Element::U64 => 8,
        }
    }

    /// Stored numbers: half precision as it is, everything else in single. Bytes short of a number are left out.
    pub(crate) fn decode(self, bytes: &[u8], big: bool) -> Values {
        macro_rules! decode {
            ($type:ty, $convert:expr) => {{
                let (chunks, _) = bytes.as_chunks::<{ size_of::<$type>() }>();
                let numbers = chunks.iter();
                if big {
                    numbers
                        .map(|&b| $convert(<$type>::from_be_bytes(b)))
                        .collect()
                } else {
                    numbers
                        .map(|&b| $convert(<$type>::from_le_bytes(b)))
                        .collect()
                }
            }};
        }
        match self {
            Element::F16 => Values::F16(decode!(f16, |x: f16| x)),
            Element::F32 => Values::F32(decode!(f32, |x: f32| x)),
            Element::F64 => Values::F32(decode!(f64, |x: f64| x as f32)),
            Element::I8 => Values::F32(decode!(i8, |x: i8| x.into())),
            Element::I16 => Values::F32(decode!(i16, |x: i16| x.into())),
            Element::I32 => Values::F32(decode!(i32, |x: i32| x as f32)),
            Element::I64 => Values::F32(decode!(i64, |x: i64| x as f32)),
            Element::U8 => Values::F32(decode!(u8, |x: u8| x.into())),
            Element::U16 => Values::F32(decode!(u16, |x: u16| x.into())),
            Element::U32 => Values::F32(decode!(u32, |x: u32| x as f32)),
            Element::U64 => Values::F32(decode!(u64, |x: u64| x as f32)),
        }
    }

    /// numpy's name for it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Element::F16 => "float16",
            Element::F32 => "float32",
            Element::F64 => "float64",
            Element::I8 => "int8",
            Element::I16 => "int16",
            Element::I32 => "int32",
            Element::I64 => "int64",
            Element::U8 => "uint8",
            Element::U16 => "uint16",
            Element::U32 => "uint32",
            Element::U64 => "uint64",
        }
    }
}
