//! Rotations of space: x to the body's left, y up, z forwards.

/// A point or a direction.
pub type Vec3 = [f64; 3];

/// An orthonormal matrix.
#[derive(Clone, Copy, Debug)]
pub struct Rotation([Vec3; 3]);

impl Rotation {
    /// About x: y turns towards z.
    pub fn x(angle: f64) -> Rotation {
        let (sin, cos) = angle.sin_cos();
        Rotation([[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]])
    }

    /// About y: z turns towards x.
    pub fn y(angle: f64) -> Rotation {
        let (sin, cos) = angle.sin_cos();
        Rotation([[cos, 0.0, sin], [0.0, 1.0, 0.0], [-sin, 0.0, cos]])
    }

    /// About z: x turns towards y.
    pub fn z(angle: f64) -> Rotation {
        let (sin, cos) = angle.sin_cos();
        Rotation([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])
    }

    /// The rotation that applies `inner` first.
    pub fn of(self, inner: Rotation) -> Rotation {
        Rotation(std::array::from_fn(|i| {
            std::array::from_fn(|j| (0..3).map(|k| self.0[i][k] * inner.0[k][j]).sum())
        }))
    }

    /// The turned vector.
    pub fn apply(self, v: Vec3) -> Vec3 {
        std::array::from_fn(|i| (0..3).map(|k| self.0[i][k] * v[k]).sum())
    }
}

/// a + b.
pub fn add(a: Vec3, b: Vec3) -> Vec3 {
    std::array::from_fn(|i| a[i] + b[i])
}
