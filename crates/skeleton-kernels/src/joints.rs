//! Mixing joints by a fixed matrix, such as a normalised adjacency.

use std::sync::Arc;

use candle_core::{Result, Tensor};

use crate::cpu;
use crate::graph::JointMatrix;
use crate::plain::{fused_on_cpu, in_each_frame};

/// `M x` in each frame: x and the result are (n, t, v, d), M is (v, v).
///
/// # Errors
/// When x doesn't have the matrix' joints.
pub fn mix_joints(x: &Tensor, matrix: &Arc<JointMatrix>) -> Result<Tensor> {
    if fused_on_cpu(x) {
        cpu::kernel::apply1(cpu::joints::Mix(matrix.clone()), x)
    } else {
        reference(x, matrix)
    }
}

/// The definition of [`mix_joints`].
///
/// # Errors
/// When x doesn't have the matrix' joints.
pub fn reference(x: &Tensor, matrix: &JointMatrix) -> Result<Tensor> {
    in_each_frame(&matrix.dense(x)?, x)
}
