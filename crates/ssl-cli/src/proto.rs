//! Protocol Buffers' wire format, as much of it as is written here: messages are fields by number, each a varint, four bytes, or
//! bytes with their length (texts, packed numbers, messages within).

/// A message being written.
#[derive(Debug, Default)]
pub struct Message(Vec<u8>);

/// How a field's bytes are read.
const VARINT: u64 = 0;
const LENGTH: u64 = 2;
const FOUR_BYTES: u64 = 5;

impl Message {
    /// An empty one.
    pub fn new() -> Message {
        Message::default()
    }

    /// A whole number (`int64`, `int32`, an enum), two's complement where it is negative.
    #[must_use]
    pub fn integer(mut self, field: u32, value: i64) -> Message {
        self.key(field, VARINT);
        self.varint(value as u64);
        self
    }

    /// A 32-bit float.
    #[must_use]
    pub fn float(mut self, field: u32, value: f32) -> Message {
        self.key(field, FOUR_BYTES);
        self.0.extend(value.to_le_bytes());
        self
    }

    /// Bytes.
    #[must_use]
    pub fn bytes(mut self, field: u32, bytes: &[u8]) -> Message {
        self.key(field, LENGTH);
        self.varint(bytes.len() as u64);
        self.0.extend(bytes);
        self
    }

    /// A text.
    #[must_use]
    pub fn text(self, field: u32, text: &str) -> Message {
        self.bytes(field, text.as_bytes())
    }

    /// A message within.
    #[must_use]
    pub fn message(self, field: u32, message: &Message) -> Message {
        self.bytes(field, &message.0)
    }

    /// The bytes so far.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn key(&mut self, field: u32, kind: u64) {
        self.varint(u64::from(field) << 3 | kind);
    }

    /// Seven bits a byte, the lowest first; the eighth says that more follow.
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of <https://protobuf.dev/programming-guides/encoding/>.
    #[test]
    fn bytes_are_those_of_the_specification() {
        let number = Message::new().integer(1, 150);
        assert_eq!(number.0, [0x08, 0x96, 0x01]);
        let text = Message::new().text(2, "testing");
        assert_eq!(text.0, b"\x12\x07testing");
        let within = Message::new().message(3, &number);
        assert_eq!(within.into_bytes(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        let minus_two = Message::new().integer(1, -2);
        assert_eq!(
            minus_two.0[1..],
            [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]
        );
        assert_eq!(
            Message::new().float(16, 1.0).0,
            [0x85, 0x01, 0, 0, 0x80, 0x3f]
        );
    }
}
