//! What a step is not allowed to do: numbers that aren't finite, gradients that are too long.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Quantity, Result};
use crate::train::Gradients;

/// Limits of every step of a training.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// What a loss or gradient that isn't finite means.
    #[serde(default)]
    pub non_finite: OnNonFinite,
    /// The longest gradient: a longer one, as the Euclidean norm over all parameters, is scaled down to
    /// it before the update (Pascanu et al., 2013). Unbounded where it isn't said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
}

/// What becomes of a step whose loss or gradient is infinite or not a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnNonFinite {
    /// It ends the training with an error that names its clips.
    #[default]
    Stop,
    /// It is left out: no parameter, moment or statistic changes. Such steps are counted.
    Skip,
}

impl Guard {
    /// Refuses a bound no gradient can have.
    ///
    /// # Errors
    /// Names the field.
    pub fn validate(&self) -> Result<()> {
        let norm = self.clip_norm.unwrap_or(1.0);
        let ok = norm > 0.0 && norm.is_finite();
        Error::refuse_unless(ok, "clip_norm", "a finite number above 0", norm)
    }

    /// Clips the gradients, which have this `norm`, or says what of a step isn't finite.
    pub(crate) fn admit(
        &self,
        loss: f64,
        norm: f64,
        gradients: &mut Gradients,
    ) -> Result<Option<(Quantity, f64)>> {
        if !loss.is_finite() {
            return Ok(Some((Quantity::Loss, loss)));
        }
        if !norm.is_finite() {
            return Ok(Some((Quantity::Gradient, norm)));
        }
        if let Some(most) = self.clip_norm
            && norm > most
        {
            gradients.scale(most / norm)?;
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Tensor, Var};

    use super::*;

    /// The gradient of sum(factor * x) is factor in each of x's four entries.
    fn gradients(factor: f64) -> Gradients {
        let x = Var::new(&[1.0f64, 2.0, 3.0, 4.0], &Device::Cpu).unwrap();
        let factor = Tensor::new(factor, &Device::Cpu).unwrap();
        let loss = x.broadcast_mul(&factor).unwrap().sum_all().unwrap();
        let mut gradients = Gradients::none(1);
        gradients.add(&loss, &[("x".into(), x)]).unwrap();
        gradients
    }

    #[test]
    fn a_long_gradient_is_scaled_and_a_short_one_left_as_it_is() {
        let guard = Guard {
            clip_norm: Some(3.0),
            ..Guard::default()
        };
        for (factor, expected) in [(1.0, 2.0), (100.0, 3.0)] {
            let mut gradients = gradients(factor);
            assert_eq!(gradients.norm().unwrap(), 2.0 * factor);
            let norm = gradients.norm().unwrap();
            assert_eq!(guard.admit(0.0, norm, &mut gradients).unwrap(), None);
            assert!((gradients.norm().unwrap() - expected).abs() < 1e-12);
        }
    }

    #[test]
    fn what_is_not_finite_is_named() {
        let guard = Guard::default();
        let admit = |loss, mut gradients: Gradients| {
            let norm = gradients.norm().unwrap();
            guard.admit(loss, norm, &mut gradients).unwrap()
        };
        let loss = admit(f64::INFINITY, gradients(1.0));
        assert_eq!(loss, Some((Quantity::Loss, f64::INFINITY)));
        let (quantity, value) = admit(0.0, gradients(f64::NAN)).unwrap();
        assert!(quantity == Quantity::Gradient && value.is_nan());
    }

    #[test]
    fn a_bound_of_nothing_is_refused() {
        for norm in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let guard = Guard {
                clip_norm: Some(norm),
                ..Guard::default()
            };
            assert!(guard.validate().is_err(), "{norm}");
        }
    }
}
