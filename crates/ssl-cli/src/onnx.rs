//! An ONNX file of a graph: `ModelProto` of <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>, whose numbers of fields are
//! those below.

use strl::onnx::{Attribute, Axis, Constant, Graph, Node, OPSET, Port, Values};

use crate::protobuf::Message;

/// The version of the format that came with [`OPSET`].
const IR_VERSION: u64 = 8;
/// ONNX's numbers for types of elements.
const FLOAT: u64 = 1;
const INT64: u64 = 7;
/// ONNX's numbers for types of attributes.
const OF_FLOAT: u64 = 1;
const OF_INT: u64 = 2;
const OF_INTS: u64 = 7;

/// The file's bytes, with `about` for people and texts by name for programs.
pub fn to_bytes(graph: &Graph, about: &str, metadata: &[(&str, &str)]) -> Vec<u8> {
    let entry = |(key, value): &(&str, &str)| Message::new().string(1, key).string(2, value);
    let entries: Vec<Message> = metadata.iter().map(entry).collect();
    let opset = Message::new().string(1, "").uint(2, OPSET);
    Message::new()
        .uint(1, IR_VERSION)
        .string(2, env!("CARGO_BIN_NAME"))
        .string(3, env!("CARGO_PKG_VERSION"))
        .string(6, about)
        .message(7, &classifier(graph))
        .message(8, &opset)
        .messages(14, &entries)
        .as_bytes()
        .to_vec()
}

/// `GraphProto`
fn classifier(graph: &Graph) -> Message {
    let nodes: Vec<Message> = graph.nodes.iter().map(node).collect();
    let constants: Vec<Message> = graph.constants.iter().map(tensor).collect();
    let inputs: Vec<Message> = graph.inputs.iter().map(value_info).collect();
    let outputs: Vec<Message> = graph.outputs.iter().map(value_info).collect();
    Message::new()
        .messages(1, &nodes)
        .string(2, "classifier")
        .messages(5, &constants)
        .messages(11, &inputs)
        .messages(12, &outputs)
}

/// `NodeProto`
fn node(node: &Node) -> Message {
    let name = node.outputs.first().map_or("", String::as_str);
    let attributes = node.attributes.iter();
    let attributes: Vec<Message> = attributes
        .map(|(name, value)| attribute(name, value))
        .collect();
    let strings = |message, field, all: &[String]| {
        all.iter().fold(message, |message: Message, text| {
            message.string(field, text)
        })
    };
    let ports = strings(Message::new(), 1, &node.inputs);
    strings(ports, 2, &node.outputs)
        .string(3, name)
        .string(4, node.op)
        .messages(5, &attributes)
}

/// `AttributeProto`. Negative numbers are written as the protocol has it, as those of 64 bits with the same bits.
fn attribute(name: &str, value: &Attribute) -> Message {
    let proto = Message::new().string(1, name);
    match value {
        Attribute::Float(x) => proto.float(2, *x).uint(20, OF_FLOAT),
        Attribute::Integer(i) => proto.uint(3, *i as u64).uint(20, OF_INT),
        Attribute::Integers(all) => {
            let proto = all.iter().fold(proto, |proto, &i| proto.uint(8, i as u64));
            proto.uint(20, OF_INTS)
        }
    }
}

/// `TensorProto`
fn tensor(constant: &Constant) -> Message {
    let dims = constant.shape.iter();
    let proto = dims.fold(Message::new(), |proto, &n| proto.uint(1, n as u64));
    let (kind, raw): (u64, Vec<u8>) = match &constant.values {
        Values::Floats(all) => (FLOAT, all.iter().flat_map(|x| x.to_le_bytes()).collect()),
        Values::Integers(all) => (INT64, all.iter().flat_map(|x| x.to_le_bytes()).collect()),
    };
    proto.uint(2, kind).string(8, &constant.name).data(9, &raw)
}

/// `ValueInfoProto`
fn value_info(port: &Port) -> Message {
    let dimension = |axis: &Axis| match axis {
        Axis::Size(n) => Message::new().uint(1, *n as u64),
        Axis::Named(name) => Message::new().string(2, name),
    };
    let dimensions: Vec<Message> = port.axes.iter().map(dimension).collect();
    let shape = Message::new().messages(1, &dimensions);
    let tensor = Message::new().uint(1, FLOAT).message(2, &shape);
    let kind = Message::new().message(1, &tensor);
    Message::new().string(1, port.name).message(2, &kind)
}
