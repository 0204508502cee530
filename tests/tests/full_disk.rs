//! A disk that is full, and one that can't be written to, while files of clips are written: an error that says so, what was there
//! before as it was, and nothing half-made left behind.

use ssl_tests::mount::Small;
use ssl_tests::program::Desk;
use ssl_tests::toy::{TOY, Toy};

/// Clips of 300 kB: more than buffers hold back.
const LARGE: Toy = Toy { frames: 120, ..TOY };

fn desk() -> Desk {
    let desk = Desk::new();
    LARGE.prepare(&desk, "toy", "coco17");
    desk
}

/// What writes a file of clips: the arguments before the output, the output's name, those after it.
const WRITERS: [(&str, &str, &str); 5] = [
    (
        "prepare toy.pkl --layout coco17 --units pixel -o",
        "toy.h5",
        "",
    ),
    (
        "prepare toy.pkl --layout coco17 --units pixel --compress -o",
        "packed.h5",
        "",
    ),
    ("convert toy.h5", "again.h5", "--compress"),
    ("convert toy.h5", "toy.jsonl", ""),
    ("inspect toy.h5 --clip k0t00 --html", "clip.html", ""),
];

#[test]
fn on_a_full_disk_the_old_file_stays_and_nothing_is_left_beside_it() {
    let Some(disk) = Small::new(4 << 10) else {
        return;
    };
    let desk = desk();
    for (before, name, after) in WRITERS {
        let output = disk.file(name);
        let line = format!("{before} {} {after} --overwrite", output.display());
        std::fs::write(&output, "what was there before").expect("there is room yet");
        let mut refused = 0;
        // From no room at all to all that is needed: it ends in every part of the writing.
        for kilobytes in [0, 4, 8, 16, 40, 80, 160, 250, 320, 400, 600, 2000] {
            disk.fill(kilobytes);
            let done = desk.ssl(&line);
            if done.code == Some(0) {
                break;
            }
            done.refused(
                1,
                &[
                    "No space left on device",
                    &disk.path().display().to_string(),
                ],
            );
            let left = std::fs::read(&output).expect("it was there");
            assert_eq!(left, b"what was there before", "{kilobytes} kB: {line}");
            assert_eq!(disk.names(), [name], "{kilobytes} kB: {line}");
            refused += 1;
        }
        assert!(refused > 0, "{line}: the disk was never full");
        let whole = std::fs::read(&output).expect("it was written");
        assert!(whole.len() > 1000, "{line}: no room was enough");
        assert_eq!(disk.names(), [name], "{line}");
        std::fs::remove_file(&output).expect("it is ours");
    }
}

#[test]
fn in_a_read_only_folder_the_old_file_stays() {
    let Some(mut disk) = Small::new(4 << 10) else {
        return;
    };
    let desk = desk();
    for (before, name, after) in WRITERS {
        let output = disk.file(name);
        let line = format!("{before} {} {after} --overwrite", output.display());
        std::fs::write(&output, "what was there before").expect("it can be written to yet");
        disk.read_only(true);
        desk.ssl(&line).refused(
            1,
            &["Read-only file system", &disk.path().display().to_string()],
        );
        disk.read_only(false);
        let left = std::fs::read(&output).expect("it was there");
        assert_eq!(left, b"what was there before", "{line}");
        assert_eq!(disk.names(), [name], "{line}");
        std::fs::remove_file(&output).expect("it is ours");
    }
}
