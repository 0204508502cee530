//! Tensors by name: as one number, and from files of other programs.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::safetensors::Load;
use candle_core::{DType, Device, Tensor};
use safetensors::SafeTensors;
use sha2::{Digest, Sha256};

use crate::checkpoint::read_safetensors;
use crate::failure::{Failure, Outcome};

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

/// The tensors of a safetensors file of any program.
pub struct Weights {
    /// By name, all 32-bit floats.
    pub tensors: BTreeMap<String, Tensor>,
    /// SHA-256 of the file.
    pub sha256: String,
}

impl Weights {
    /// Reads the file; its metadata are not looked at.
    pub fn read(path: &Path) -> Outcome<Weights> {
        let bytes = read_safetensors(path)?;
        let wrong = |found: String| {
            Failure::error(format!(
                "{}: expected safetensors of 32-bit floats, found {found}",
                path.display()
            ))
        };
        let file = SafeTensors::deserialize(&bytes).map_err(|error| {
            wrong(error.to_string()).hint("the file is damaged or cut off: write it again")
        })?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            if view.dtype() != safetensors::Dtype::F32 {
                return Err(wrong(format!("{name} in {:?}", view.dtype()))
                    .hint("in PyTorch: tensor.float() before it is saved"));
            }
            let tensor = view
                .load(&Device::Cpu)
                .map_err(|error| wrong(format!("{name}: {error}")))?;
            tensors.insert(name.to_owned(), tensor);
        }
        let sha256 = hex(&Sha256::digest(&bytes));
        Ok(Weights { tensors, sha256 })
    }
}

/// `(64, 2)`
pub fn shape(tensor: &Tensor) -> String {
    let sizes: Vec<String> = tensor.dims().iter().map(usize::to_string).collect();
    format!("({})", sizes.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

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
