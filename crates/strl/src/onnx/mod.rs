//! A classifier as an ONNX graph, for runtimes that know neither Rust nor Candle.
//!
//! The graph is the classifier's inference by its running statistics, every norm folded into the linear map before it in
//! `f64`. It reads `poses` (batch, persons, T, V, C), batch and persons of any size, and gives `logits` and `probabilities`
//! (batch, classes). A person whose numbers are all 0 isn't there: it is left out of the mean over persons. Where nobody is
//! there, everybody counts, so that a clip that doesn't move still has its answer from a model of motion.
//!
//! What is here knows no files: a [`Graph`] is plain data, and whoever writes it chooses the encoding.

mod classifier;

pub use classifier::classifier;

/// The version of ONNX's set of operators that graphs are made of.
pub const OPSET: u64 = 17;

/// The input's name.
pub const POSES: &str = "poses";
/// The output before softmax.
pub const LOGITS: &str = "logits";
/// The output behind softmax.
pub const PROBABILITIES: &str = "probabilities";

/// Nodes in an order in which each comes after those it reads.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Graph {
    /// What is read.
    pub inputs: Vec<Port>,
    /// What is computed.
    pub nodes: Vec<Node>,
    /// The numbers that don't change.
    pub constants: Vec<Constant>,
    /// Which results are given.
    pub outputs: Vec<Port>,
}

/// A tensor of 32-bit floats that goes in or out.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Its name.
    pub name: &'static str,
    /// Its extents.
    pub axes: Vec<Axis>,
}

/// An extent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Always this.
    Size(usize),
    /// Another from call to call; equal names are equal sizes.
    Named(&'static str),
}

/// An operator applied to tensors by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    /// ONNX's name of the operator.
    pub op: &'static str,
    /// What it reads.
    pub inputs: Vec<String>,
    /// What it gives; the first stands for the node in messages.
    pub outputs: Vec<String>,
    /// Its settings.
    pub attributes: Vec<(&'static str, Attribute)>,
}

/// A setting of a node.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A whole number.
    Integer(i64),
    /// Several.
    Integers(Vec<i64>),
    /// A real number.
    Float(f32),
}

/// A tensor that the graph holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// Its name.
    pub name: String,
    /// Its extents.
    pub shape: Vec<usize>,
    /// Row-major.
    pub values: Values,
}

/// Numbers of a [`Constant`].
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// 32-bit floats.
    Floats(Vec<f32>),
    /// 64-bit integers: shapes and axes.
    Integers(Vec<i64>),
}

/// Writes a graph down, node after node.
#[derive(Debug, Default)]
struct Writer {
    graph: Graph,
}

impl Writer {
    /// Applies an operator, and names its result.
    fn apply(
        &mut self,
        op: &'static str,
        inputs: &[&str],
        attributes: &[(&'static str, Attribute)],
    ) -> String {
        let output = format!("{op}.{}", self.graph.nodes.len());
        self.node(op, inputs, vec![output.clone()], attributes);
        output
    }

    /// Applies an operator whose results have these names.
    fn node(
        &mut self,
        op: &'static str,
        inputs: &[&str],
        outputs: Vec<String>,
        attributes: &[(&'static str, Attribute)],
    ) {
        self.graph.nodes.push(Node {
            op,
            inputs: inputs.iter().map(|&name| name.to_owned()).collect(),
            outputs,
            attributes: attributes.to_vec(),
        });
    }

    /// Holds real numbers.
    fn floats(&mut self, name: &str, shape: &[usize], values: &[f64]) -> String {
        let values = Values::Floats(values.iter().map(|&x| x as f32).collect());
        self.constant(name, shape, values)
    }

    /// Holds a list of whole numbers.
    fn integers(&mut self, name: &str, values: &[i64]) -> String {
        self.constant(name, &[values.len()], Values::Integers(values.to_vec()))
    }

    /// Holds numbers under a name; layers share those that are equal.
    fn constant(&mut self, name: &str, shape: &[usize], values: Values) -> String {
        let constants = &mut self.graph.constants;
        match constants.iter().find(|known| known.name == name) {
            Some(known) => assert_eq!(known.values, values, "{name}: one name, two constants"),
            None => constants.push(Constant {
                name: name.to_owned(),
                shape: shape.to_vec(),
                values,
            }),
        }
        name.to_owned()
    }
}
