//! What a file is by its first bytes, whatever its name ends in.

/// Kinds of files that are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// Compressed by gzip.
    Gzip,
    /// Compressed by xz.
    Xz,
    /// Compressed by bzip2.
    Bzip2,
    /// A RAR archive.
    Rar,
    /// A 7z archive.
    SevenZip,
    /// A tar archive.
    Tar,
    /// A zip archive, such as an `.npz`.
    Zip,
    /// One numpy array, an `.npy`.
    Npy,
    /// HDF5, such as a cache.
    Hdf5,
    /// JSON that begins with an object, such as JSON lines.
    JsonObject,
    /// JSON that is a list.
    JsonList,
    /// A pickle of protocol 2 or later.
    Pickle,
}

/// A text without the mark of UTF-8 that programs on Windows put before it.
pub(crate) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

impl Kind {
    /// By the first bytes of a file; `None` for what has no beginning of its own.
    pub fn of(bytes: &[u8]) -> Option<Kind> {
        const BEGINNINGS: [(&[u8], Kind); 9] = [
            (b"\x1f\x8b", Kind::Gzip),
            (b"\xfd7zXZ\0", Kind::Xz),
            (b"BZh", Kind::Bzip2),
            (b"Rar!\x1a\x07", Kind::Rar),
            (b"7z\xbc\xaf\x27\x1c", Kind::SevenZip),
            (b"PK\x03\x04", Kind::Zip),
            (b"PK\x05\x06", Kind::Zip),
            (b"\x93NUMPY", Kind::Npy),
            (b"\x89HDF\r\n\x1a\n", Kind::Hdf5),
        ];
        if let Some((_, kind)) = BEGINNINGS
            .iter()
            .find(|(start, _)| bytes.starts_with(start))
        {
            return Some(*kind);
        }
        // The only one whose mark stands within its first block, behind the name of its first file.
        if bytes.get(257..262) == Some(b"ustar") {
            return Some(Kind::Tar);
        }
        match bytes {
            [0x80, 2..=5, ..] => Some(Kind::Pickle),
            _ => match without_mark(bytes)
                .iter()
                .find(|byte| !byte.is_ascii_whitespace())
            {
                Some(b'{') => Some(Kind::JsonObject),
                Some(b'[') => Some(Kind::JsonList),
                _ => None,
            },
        }
    }

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Gzip => "a file compressed by gzip",
            Kind::Xz => "a file compressed by xz",
            Kind::Bzip2 => "a file compressed by bzip2",
            Kind::Rar => "a RAR archive",
            Kind::SevenZip => "a 7z archive",
            Kind::Tar => "a tar archive",
            Kind::Zip => "a zip archive",
            Kind::Npy => "one numpy array (.npy)",
            Kind::Hdf5 => "HDF5",
            Kind::JsonObject => "JSON",
            Kind::JsonList => "a JSON list",
            Kind::Pickle => "a pickle",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_told_by_their_first_bytes() {
        for (bytes, kind) in [
            (&b"\x1f\x8b\x08"[..], Some(Kind::Gzip)),
            (b"\xfd7zXZ\0\0", Some(Kind::Xz)),
            (b"PK\x03\x04 ", Some(Kind::Zip)),
            (
                &[&[b'a'; 257][..], b"ustar\x0000"].concat(),
                Some(Kind::Tar),
            ),
            (b"\x93NUMPY\x01", Some(Kind::Npy)),
            (b"\x89HDF\r\n\x1a\n", Some(Kind::Hdf5)),
            (b"\x80\x04\x95", Some(Kind::Pickle)),
            (b"{\"id\": 1}\n", Some(Kind::JsonObject)),
            (b" \r\n[{", Some(Kind::JsonList)),
            (b"\xef\xbb\xbf{}", Some(Kind::JsonObject)),
            // Protocol 0, damaged files, nothing.
            (b"(lp0\n", None),
            (b"\x80\x09", None),
            (b"\x89HDF", None),
            (b"", None),
        ] {
            assert_eq!(Kind::of(bytes), kind, "{bytes:?}");
        }
    }
}
