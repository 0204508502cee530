//! Tensors by name, as one number.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use sha2::{Digest, Sha256};

use crate::failure::Outcome;

/// SHA-256, in hexadecimal digits, over the names, shapes and 32-bit values of all tensors.
pub fn digest(tensors: &BTreeMap<String, Tensor>) -> Outcome<String> {
    let mut sha = Sha256::new();
    for (name, tensor) in tensors {
        sha.update((name.len() as u64).to_le_bytes());
        sha.update(name);
        sha.update((tensor.rank() as u64).to_le_bytes());
        for &size in tensor.dims() {
            sha.update((size as u64).to_le_bytes());
        }
        let values = tensor
            .to_dtype(DType::F32)?
            .flatten_all()?
            .to_vec1::<f32>()?;
        for value in values {
            sha.update(value.to_le_bytes());
        }
    }
    Ok(hex(&sha.finalize()))
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn a_name_a_shape_and_a_value_change_it() {
        let of = |name: &str, values: &[f32], shape: &[usize]| {
            let tensor = Tensor::from_slice(values, shape, &Device::Cpu).unwrap();
            digest(&BTreeMap::from([(name.to_owned(), tensor)])).unwrap()
        };
        let first = of("a", &[1.0, 2.0], &[2]);
        assert_eq!(first, of("a", &[1.0, 2.0], &[2]));
        assert_ne!(first, of("b", &[1.0, 2.0], &[2]));
        assert_ne!(first, of("a", &[1.0, 2.0], &[1, 2]));
        assert_ne!(first, of("a", &[1.0, 2.0000002], &[2]));
    }
}
