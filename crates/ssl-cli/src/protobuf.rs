//! The little of protocol buffers that writing takes: <https://protobuf.dev/programming-guides/encoding>.
//!
//! A message is its fields one after another, each a key, which is the field's number and the kind of what follows, and a value.
//! Fields of the default value (0, an empty text) are written all the same, which every reader takes.

/// A message that grows field by field; numbers of fields are those of the message's definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message {
    bytes: Vec<u8>,
}

/// How a value is laid out: the lowest three bits of a key.
#[derive(Clone, Copy)]
enum Wire {
    Varint = 0,
    EightBytes = 1,
    LengthDelimited = 2,
    FourBytes = 5,
}

impl Message {
    /// Without any field.
    pub fn new() -> Message {
        Message::default()
    }

    /// `int32`, `int64`, `uint32`, `uint64`, `bool` or an enum, none of them negative.
    pub fn uint(mut self, field: u32, value: u64) -> Message {
        self.key(field, Wire::Varint);
        varint(value, &mut self.bytes);
        self
    }

    /// `double`
    pub fn double(mut self, field: u32, value: f64) -> Message {
        self.key(field, Wire::EightBytes);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// `float`
    pub fn float(mut self, field: u32, value: f32) -> Message {
        self.key(field, Wire::FourBytes);
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// `string`
    pub fn string(self, field: u32, value: &str) -> Message {
        self.data(field, value.as_bytes())
    }

    /// `bytes`
    pub fn data(mut self, field: u32, value: &[u8]) -> Message {
        self.key(field, Wire::LengthDelimited);
        varint(value.len() as u64, &mut self.bytes);
        self.bytes.extend(value);
        self
    }

    /// A message within the message.
    pub fn message(self, field: u32, value: &Message) -> Message {
        self.data(field, &value.bytes)
    }

    /// The same with each of `values` as a message, in order: a `repeated` field.
    pub fn messages<'a>(
        self,
        field: u32,
        values: impl IntoIterator<Item = &'a Message>,
    ) -> Message {
        let add = |message: Message, value| message.message(field, value);
        values.into_iter().fold(self, add)
    }

    /// What a file or another message takes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn key(&mut self, field: u32, wire: Wire) {
        varint(u64::from(field) << 3 | wire as u64, &mut self.bytes);
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
fn varint(mut value: u64, bytes: &mut Vec<u8>) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of protobuf.dev.
    #[test]
    fn fields_are_encoded_as_the_specification_shows() {
        let one = Message::new().uint(1, 150);
        assert_eq!(one.as_bytes(), [0x08, 0x96, 0x01]);
        let text = Message::new().string(2, "testing");
        assert_eq!(text.as_bytes(), b"\x12\x07testing");
        let within = Message::new().message(3, &one);
        assert_eq!(within.as_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
    }

    /// python3: struct.pack("<d", 1.5), struct.pack("<f", -2.0)
    #[test]
    fn numbers_of_fixed_width_are_little_endian() {
        let both = Message::new().double(1, 1.5).float(2, -2.0);
        let expected = [9, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f, 0x15, 0, 0, 0, 0xc0];
        assert_eq!(both.as_bytes(), expected);
    }

    #[test]
    fn large_numbers_take_as_many_bytes_as_they_need() {
        for (value, length) in [(0, 1), (127, 1), (128, 2), (1 << 35, 6), (u64::MAX, 10)] {
            let mut bytes = Vec::new();
            varint(value, &mut bytes);
            assert_eq!(bytes.len(), length, "{value}");
            let read =
                |sum: u64, (at, byte): (usize, &u8)| sum | u64::from(byte & 0x7f) << (7 * at);
            assert_eq!(bytes.iter().enumerate().fold(0, read), value);
        }
        // The key of field 16 has two bytes.
        assert_eq!(Message::new().uint(16, 1).as_bytes(), [0x80, 0x01, 0x01]);
    }

    #[test]
    fn repeated_messages_keep_their_order() {
        let [a, b] = [1, 2].map(|value| Message::new().uint(1, value));
        let both = Message::new().messages(1, [&a, &b]);
        assert_eq!(both, Message::new().message(1, &a).message(1, &b));
    }
}
