//! TensorBoard's event files: a sequence of records, each an `Event` (tensorflow/core/util/event.proto).
//!
//! A record is the length of its data as 8 bytes, a checksum of these, the data, and a checksum of them, all little-endian. A
//! checksum is a masked CRC-32C (tensorflow/core/lib/io/record_writer.h).

use crate::protobuf::Message;

/// `DT_STRING` of tensorflow/core/framework/types.proto.
const STRING: u64 = 7;

/// What a file begins with.
pub fn version(wall: f64) -> Vec<u8> {
    let event = Message::new().double(1, wall).string(3, "brain.Event:2");
    record(event.as_bytes())
}

/// The record of some values at one step.
pub fn values(wall: f64, step: usize, values: &[Message]) -> Vec<u8> {
    let summary = Message::new().messages(1, values);
    let event = Message::new()
        .double(1, wall)
        .uint(2, step as u64)
        .message(5, &summary);
    record(event.as_bytes())
}

/// A number of a curve.
pub fn scalar(tag: &str, value: f64) -> Message {
    // The format has single precision here, as all its writers do.
    Message::new().string(1, tag).float(2, value as f32)
}

/// A picture of three colours.
pub fn image(tag: &str, (width, height): (usize, usize), png: &[u8]) -> Message {
    let image = Message::new()
        .uint(1, height as u64)
        .uint(2, width as u64)
        .uint(3, 3)
        .data(4, png);
    Message::new().string(1, tag).message(4, &image)
}

/// A text in Markdown.
pub fn text(tag: &str, markdown: &str) -> Message {
    let shape = Message::new().message(2, &Message::new().uint(1, 1));
    let tensor = Message::new()
        .uint(1, STRING)
        .message(2, &shape)
        .string(8, markdown);
    let tag = format!("{tag}/text_summary");
    Message::new()
        .string(1, &tag)
        .message(8, &tensor)
        .message(9, &metadata("text", &[]))
}

/// What one of TensorBoard's plugins keeps about a run.
pub fn of_plugin(tag: &str, plugin: &str, content: &Message) -> Message {
    Message::new()
        .string(1, tag)
        .message(9, &metadata(plugin, content.as_bytes()))
}

/// `SummaryMetadata` of tensorflow/core/framework/summary.proto.
fn metadata(plugin: &str, content: &[u8]) -> Message {
    let data = Message::new().string(1, plugin).data(2, content);
    Message::new().message(1, &data)
}

/// A record of a file.
fn record(data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u64).to_le_bytes();
    let mut bytes = length.to_vec();
    bytes.extend(masked(&length).to_le_bytes());
    bytes.extend(data);
    bytes.extend(masked(data).to_le_bytes());
    bytes
}

/// The checksum, changed so that data which hold checksums have others.
fn masked(data: &[u8]) -> u32 {
    crc32c::crc32c(data)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 3720, B.4: the CRC-32C of 32 zeros, and of 32 bytes of ones.
    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(crc32c::crc32c(&[0xff; 32]), 0x62a8_ab43);
    }

    /// python3, tensorboard 2.21: tensorboard.summary.writer.record_writer.RecordWriter(file).write(b"abc"), and masked_crc32c(b"").
    #[test]
    fn a_record_is_framed_as_tensorboard_frames_it() {
        let expected = [
            3, 0, 0, 0, 0, 0, 0, 0, 176, 153, 73, 14, 97, 98, 99, 110, 87, 241, 33,
        ];
        assert_eq!(record(b"abc"), expected);
        assert_eq!(masked(b""), 0xa282_ead8);
    }
}
