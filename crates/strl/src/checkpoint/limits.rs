//! How large a model may be that settings ask for: they may come from a stranger, or from a slip of the finger, and are refused by
//! name before anything is allocated.

use skeleton_graph::Layout;
use skeletonmae::{Error, MaeConfig, Result, SkeletonMae};

use crate::cost::shapes;
use crate::{Strl, StrlConfig, Task};

/// Features: the widest in the literature have 512.
const WIDEST: usize = 1 << 12;
/// Layers of the encoder and of the classifier: the paper tries up to 4.
const MOST_LAYERS: usize = 64;
/// Frames that a temporal kernel sees, and how far apart they are, or neighbours in time.
const LONGEST_KERNEL: usize = 255;
const LARGEST_DILATION: usize = 1 << 10;
/// Branches, and maps of the head.
const MOST_BRANCHES: usize = 16;
/// Parameters in all, a gigabyte of them: the paper's model has 140,000.
const MOST_PARAMETERS: usize = 1 << 28;

/// Refuses a model that is too large.
pub fn check(mae: &MaeConfig, strl: Option<&StrlConfig>) -> Result<()> {
    within("model.width", mae.width, WIDEST)?;
    within("model.encoder_layers", mae.encoder_layers, MOST_LAYERS)?;
    each(
        "model.time_neighbours",
        &mae.time_neighbours,
        LARGEST_DILATION,
    )?;
    if let Some(strl) = strl {
        within("model.strl.layers", strl.layers, MOST_LAYERS)?;
        within("model.strl.kernel", strl.kernel, LONGEST_KERNEL)?;
        each("model.strl.dilations", &strl.dilations, LARGEST_DILATION)?;
        each("model.strl.head", &strl.head, WIDEST)?;
    }
    Ok(())
}

/// Refuses a model that has too many parameters although each of its sizes is [allowed](check); its shape is a valid one.
pub fn check_parameters(mae: &MaeConfig, strl: Option<&StrlConfig>) -> Result<()> {
    let found = parameters(mae, strl)?;
    if found > MOST_PARAMETERS {
        return Err(refuse(
            "model",
            format!("a width and layers of at most {MOST_PARAMETERS} parameters"),
            format!("about {found}"),
        ));
    }
    Ok(())
}

fn within(key: &str, value: usize, most: usize) -> Result<()> {
    if (1..=most).contains(&value) {
        return Ok(());
    }
    Err(refuse(key, format!("1 to {most}"), value.to_string()))
}

fn each(key: &str, values: &[usize], most: usize) -> Result<()> {
    if values.len() > MOST_BRANCHES {
        let expected = format!("at most {MOST_BRANCHES} numbers");
        return Err(refuse(key, expected, values.len().to_string()));
    }
    values
        .iter()
        .try_for_each(|&value| within(key, value, most))
}

fn refuse(key: &str, expected: String, found: String) -> Error {
    Error::Setting {
        field: key.to_owned(),
        expected,
        found,
    }
}

/// The numbers of a model on one skeleton for one class: what else there may be of both adds little.
fn parameters(mae: &MaeConfig, strl: Option<&StrlConfig>) -> Result<usize> {
    let layout = Layout::built_in("coco17").expect("it is built in");
    let coordinates = 3;
    let shapes = match strl {
        None => shapes(|vb| SkeletonMae::new(mae, &layout, coordinates, vb))?,
        Some(strl) => {
            let task = Task {
                layout: &layout,
                coordinates,
                frames: 64,
                classes: 1,
            };
            shapes(|vb| Strl::new(mae, strl, task, vb))?
        }
    };
    let sizes = shapes.values().map(|shape| shape.iter().product::<usize>());
    Ok(sizes.sum())
}

#[cfg(test)]
mod tests {
    use skeletonmae::Backbone;

    use super::*;

    /// Both shapes.
    struct Model {
        mae: MaeConfig,
        strl: StrlConfig,
    }

    fn usual() -> Model {
        Model {
            mae: MaeConfig::default(),
            strl: StrlConfig::default(),
        }
    }

    fn refused(change: impl Fn(&mut Model)) -> String {
        let mut model = usual();
        let check = |model: &Model| {
            let strl = Some(&model.strl);
            check(&model.mae, strl).and_then(|()| check_parameters(&model.mae, strl))
        };
        assert!(check(&model).is_ok());
        change(&mut model);
        check(&model).unwrap_err().to_string()
    }

    #[test]
    fn what_is_gigantic_is_refused_by_name() {
        const HUGE: usize = 1_000_000_000;
        for (key, message) in [
            ("model.width", refused(|model| model.mae.width = HUGE)),
            ("model.width", refused(|model| model.mae.width = 0)),
            (
                "model.encoder_layers",
                refused(|model| model.mae.encoder_layers = HUGE),
            ),
            (
                "model.strl.layers",
                refused(|model| model.strl.layers = HUGE),
            ),
            (
                "model.strl.kernel",
                refused(|model| model.strl.kernel = HUGE + 1),
            ),
            (
                "model.strl.dilations",
                refused(|model| model.strl.dilations = vec![1, HUGE]),
            ),
            (
                "model.strl.dilations",
                refused(|model| model.strl.dilations = vec![1; HUGE / 1000]),
            ),
            (
                "model.strl.head",
                refused(|model| model.strl.head = vec![HUGE]),
            ),
        ] {
            assert!(message.starts_with(&format!("{key}: ")), "{key}: {message}");
        }
        // Each allowed, together too many.
        let message = refused(|model| (model.mae.width, model.mae.encoder_layers) = (4096, 64));
        assert!(message.contains("parameters, found about"), "{message}");
    }

    #[test]
    fn parameters_are_those_of_the_backbone() {
        let mut model = usual();
        // The paper's shape, 140,622 parameters and statistics less with 99 classes.
        (model.mae.width, model.mae.encoder_layers) = (64, 3);
        let shape = &mut model.strl;
        (shape.layers, shape.kernel, shape.dilations) = (3, 5, vec![1, 2]);
        let mut of = |backbone| {
            model.mae.backbone = backbone;
            parameters(&model.mae, Some(&model.strl)).unwrap()
        };
        let [gin, gcn, gat] = [Backbone::Gin, Backbone::Gcn, Backbone::Gat].map(&mut of);
        assert!((130_000..145_000).contains(&gin), "{gin}");
        // A GIN layer has two maps where the others have one.
        assert!(gcn < gat && gat < gin - 9 * 4_000, "{gcn} {gat} {gin}");
    }
}
