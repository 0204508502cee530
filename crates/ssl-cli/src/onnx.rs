//! An ONNX file of a graph: `ModelProto` of <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>, whose numbers of fields are
//! those below.

use strl::onnx::{Attribute, Axis, Constant, Graph, Node, OPSET, Port, Values};

use crate::proto::Message;

/// The version of the format that came with [`OPSET`].
const IR_VERSION: i64 = 8;
/// ONNX's numbers for types of elements.
const FLOAT: i64 = 1;
const INT64: i64 = 7;
/// ONNX's numbers for types of attributes.
const OF_FLOAT: i64 = 1;
const OF_INT: i64 = 2;
const OF_INTS: i64 = 7;

/// The file's bytes, with `about` for people and texts by name for programs.
pub fn to_bytes(graph: &Graph, about: &str, metadata: &[(&str, &str)]) -> Vec<u8> {
    let opset = Message::new().text(1, "").integer(2, OPSET);
    let mut model = Message::new()
        .integer(1, IR_VERSION)
        .text(2, env!("CARGO_BIN_NAME"))
        .text(3, env!("CARGO_PKG_VERSION"))
        .text(6, about)
        .message(7, &graph_proto(graph))
        .message(8, &opset);
    for (key, value) in metadata {
        let entry = Message::new().text(1, key).text(2, value);
        model = model.message(14, &entry);
    }
    model.into_bytes()
}

fn graph_proto(graph: &Graph) -> Message {
    let mut proto = Message::new();
    for node in &graph.nodes {
        proto = proto.message(1, &node_proto(node));
    }
    proto = proto.text(2, "classifier");
    for constant in &graph.constants {
        proto = proto.message(5, &tensor(constant));
    }
    for port in &graph.inputs {
        proto = proto.message(11, &value_info(port));
    }
    for port in &graph.outputs {
        proto = proto.message(12, &value_info(port));
    }
    proto
}

fn node_proto(node: &Node) -> Message {
    let mut proto = Message::new();
    for input in &node.inputs {
        proto = proto.text(1, input);
    }
    for output in &node.outputs {
        proto = proto.text(2, output);
    }
    let name = node.outputs.first().map_or("", String::as_str);
    proto = proto.text(3, name).text(4, node.op);
    for (name, attribute) in &node.attributes {
        proto = proto.message(5, &attribute_proto(name, attribute));
    }
    proto
}

fn attribute_proto(name: &str, attribute: &Attribute) -> Message {
    let proto = Message::new().text(1, name);
    match attribute {
        Attribute::Float(x) => proto.float(2, *x).integer(20, OF_FLOAT),
        Attribute::Integer(i) => proto.integer(3, *i).integer(20, OF_INT),
        Attribute::Integers(all) => {
            let proto = all.iter().fold(proto, |proto, &i| proto.integer(8, i));
            proto.integer(20, OF_INTS)
        }
    }
}

fn tensor(constant: &Constant) -> Message {
    let dims = constant.shape.iter();
    let proto = dims.fold(Message::new(), |proto, &n| proto.integer(1, n as i64));
    let (kind, raw): (i64, Vec<u8>) = match &constant.values {
        Values::Floats(all) => (FLOAT, all.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Values::Integers(all) => (INT64, all.iter().flat_map(|x| x.to_le_bytes()).collect()),
    };
    proto
        .integer(2, kind)
        .text(8, &constant.name)
        .bytes(9, &raw)
}

fn value_info(port: &Port) -> Message {
    let shape = port.axes.iter().fold(Message::new(), |shape, axis| {
        let dimension = match axis {
            Axis::Size(n) => Message::new().integer(1, *n as i64),
            Axis::Named(name) => Message::new().text(2, name),
        };
        shape.message(1, &dimension)
    });
    let tensor = Message::new().integer(1, FLOAT).message(2, &shape);
    let kind = Message::new().message(1, &tensor);
    Message::new().text(1, port.name).message(2, &kind)
}
