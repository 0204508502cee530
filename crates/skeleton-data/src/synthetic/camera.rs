//! Where the scene is seen from.

use super::dice::Dice;
use super::rotation::{Rotation, Vec3, add};

/// Image size in pixels: height, width.
pub const IMAGE: (u32, u32) = (1080, 1920);

/// One viewpoint. The scene's front looks at a camera without yaw.
#[derive(Clone, Debug)]
pub struct Camera {
    turn: Rotation,
    /// Of the scene's ground origin before the camera.
    offset: Vec3,
    focal: f64,
}

impl Camera {
    /// Draws a viewpoint: within 40 degrees of the front, since farther round left and right arms hide each other and
    /// a step aside becomes a step away.
    pub fn draw(dice: &mut Dice) -> Camera {
        let turn = Rotation::z(dice.degrees(-4.0, 4.0))
            .of(Rotation::x(dice.degrees(0.0, 16.0)))
            .of(Rotation::y(dice.degrees(-40.0, 40.0)));
        let offset = [
            dice.between(-0.6, 0.6),
            -dice.between(0.8, 1.2),
            -dice.between(3.2, 5.0),
        ];
        Camera {
            turn,
            offset,
            focal: dice.between(950.0, 1150.0),
        }
    }

    /// The point before the camera: x to the camera's right, y up, z towards the camera (negative before it).
    pub fn see(&self, point: Vec3) -> Vec3 {
        add(self.turn.apply(point), self.offset)
    }

    /// Pixels of a seen point, y down.
    pub fn project(&self, seen: Vec3) -> [f64; 2] {
        let (height, width) = (f64::from(IMAGE.0), f64::from(IMAGE.1));
        let scale = self.focal / -seen[2];
        [
            width / 2.0 + scale * seen[0],
            height / 2.0 - scale * seen[1],
        ]
    }
}
