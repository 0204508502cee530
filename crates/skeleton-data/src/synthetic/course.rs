//! How an angle gets from one value to the next.

use super::body::Arm;

/// 0 to 1 with flat ends.
pub fn smooth(u: f64) -> f64 {
    let u = u.clamp(0.0, 1.0);
    u * u * (3.0 - 2.0 * u)
}

/// 0 before `start`, 1 after `end`.
pub fn between(u: f64, start: f64, end: f64) -> f64 {
    smooth((u - start) / (end - start))
}

/// The angle at `u` of a course given as (u, degrees), smooth from one to the next; in radians.
pub fn keys(u: f64, course: &[(f64, f64)]) -> f64 {
    let next = course.iter().position(|&(at, _)| u < at);
    let degrees = match next {
        Some(0) => course[0].1,
        Some(next) => {
            let ((a, from), (b, to)) = (course[next - 1], course[next]);
            from + (to - from) * between(u, a, b)
        }
        None => course[course.len() - 1].1,
    };
    degrees.to_radians()
}

/// `share` of the way from one arm to the other.
pub fn blend(from: Arm, to: Arm, share: f64) -> Arm {
    let mix = |a: f64, b: f64| a + (b - a) * share;
    Arm {
        azimuth: mix(from.azimuth, to.azimuth),
        elevation: mix(from.elevation, to.elevation),
        twist: mix(from.twist, to.twist),
        elbow: mix(from.elbow, to.elbow),
    }
}
