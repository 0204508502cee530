//! Pickles made by hand that must not be run, and that must not take more than they are worth.

mod common;

use common::{open, refused};

/// `os.system("true")`, as pickle.dumps writes an object whose __reduce__ returns it: protocols 0, 2 and 4.
const SYSTEM: [&[u8]; 3] = [
    b"cposix\nsystem\np0\n(Vtrue\np1\ntp2\nRp3\n.",
    b"\x80\x02cposix\nsystem\nq\x00X\x04\x00\x00\x00trueq\x01\x85q\x02Rq\x03.",
    b"\x80\x04\x95\x1f\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94\x8c\x04true\x94\x85\x94R\x94.",
];

#[test]
fn a_pickle_that_names_a_function_is_refused_by_its_name() {
    for bytes in SYSTEM {
        refused(bytes, &["`posix.system`", "never run"]);
    }
    refused(b"cos\nsystem\n.", &["byte 0", "`os.system`"]);
    refused(b"(ios\nsystem\n.", &["`os.system`"]);
    refused(b"c__builtin__\neval\n.", &["`__builtin__.eval`"]);
    refused(
        b"cnumpy.core.multiarray\nfromfile\n.",
        &["`numpy.core.multiarray.fromfile`"],
    );
    refused(
        b"\x80\x02cnumpy\nndarray\n)\x81.",
        &["construction of an object"],
    );
    refused(b"Pid\n.", &["opcode 0x50"]);
    refused(b"\x80\x05\x97.", &["out-of-band"]);
}

#[test]
fn damaged_pickles_say_where() {
    refused(b"", &["byte 0", "the end of the file"]);
    refused(b"\x80\x09.", &["pickle protocol 0 to 5", "protocol 9"]);
    refused(b"]", &["byte 1", "the end of the file"]);
    refused(b".", &["byte 0", "an empty stack"]);
    refused(b"\xfe", &["byte 0xfe"]);
    refused(b"h\x07.", &["a value in the memo"]);
    refused(b"K\x01a.", &["an empty stack"]);
    refused(b"K\x01K\x02a.", &["a list to append to"]);
    refused(b"(K\x01d.", &["keys with a value each"]);
    refused(b"I12x\n.", &["an integer of 64 bits"]);
    refused(b"\x8a\x09123456789.", &["one of 9 bytes"]);
    refused(b"K\x01.", &["a dict with `annotations`", "the integer 1"]);
    refused(b"}.", &["a dict with the keys []"]);
}

#[test]
fn declared_lengths_beyond_the_file_allocate_nothing() {
    refused(
        b"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        &["byte 11", "the end of the file after 1"],
    );
    refused(
        b"\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\xff.",
        &["the end of the file"],
    );
    refused(
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\xff].",
        &["a frame of"],
    );
    refused(b"B\xff\xff\xff\xff.", &["4294967295 bytes"]);
    refused(b"\x8b\xff\xff\xff\xff.", &["a length"]);
    refused(b"r\xff\xff\xff\xff.", &["an empty stack"]);
    refused(b"]r\xff\xff\xff\xffK\x01.", &["a dict with"]);
}

#[test]
fn nesting_and_doubling_stay_small() {
    // A million lists in each other: nothing recurses, neither here nor when they are dropped.
    let mut deep = vec![b']'; 1_000_000];
    deep.extend(vec![b'a'; 999_999]);
    deep.push(b'.');
    refused(&deep, &["annotation 0", "a list of 1"]);
    refused(&vec![b'('; 1_000_000], &["more values"]);
    refused(&vec![b']'; 1_000_000], &["more values"]);
    // A list doubled through the memo a hundred times: 2^100 elements in Python's eyes.
    let mut bomb = b"]q\x00".to_vec();
    for key in 0..100 {
        bomb.extend([b']', b'q', key + 1, b'(', b'h', key, b'h', key, b'e']);
    }
    bomb.push(b'.');
    refused(&bomb, &["annotation 0", "a list of 2"]);
    // A list that holds itself.
    refused(b"]q\x00h\x00a.", &["annotation 0", "a list of 1"]);
    // One long id in a split a hundred thousand times, as itself and under other names.
    let mut ids = b"}(X\x0b\x00\x00\x00annotations]X\x05\x00\x00\x00split}(".to_vec();
    ids.extend(b"X\x01\x00\x00\x00a](X\xe8\x03\x00\x00");
    ids.extend([b'x'; 1000]);
    ids.extend(b"q\x00");
    ids.extend(b"h\x00".repeat(100_000));
    ids.extend(b"euu.");
    let file = open(&ids).unwrap();
    assert_eq!(file.splits()[0].1.len(), 1);
}
