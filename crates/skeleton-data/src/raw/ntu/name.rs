//! What a file's name says.

use std::fmt;

/// The five numbers of a sample's name, `SsssCcccPpppRrrrAaaa`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name {
    /// S: the setup of the cameras (their height and distance).
    pub setup: u32,
    /// C: the camera, 1 to 3.
    pub camera: u32,
    /// P: the person who performs.
    pub person: u32,
    /// R: the first or second performance.
    pub replication: u32,
    /// A: the action, from 1.
    pub action: u32,
}

impl Name {
    /// Reads a name without folder and ending.
    pub fn parse(text: &str) -> Option<Name> {
        let text = text.as_bytes();
        if text.len() != 20 {
            return None;
        }
        let mut numbers = [0; 5];
        for ((chunk, letter), number) in text.chunks_exact(4).zip(b"SCPRA").zip(&mut numbers) {
            if chunk[0] != *letter || !chunk[1..].iter().all(u8::is_ascii_digit) {
                return None;
            }
            *number = chunk[1..]
                .iter()
                .fold(0, |n, digit| n * 10 + u32::from(digit - b'0'));
        }
        let [setup, camera, person, replication, action] = numbers;
        Some(Name {
            setup,
            camera,
            person,
            replication,
            action,
        })
    }

    /// The class: actions count from 1, labels from 0. None for action 0, which there isn't.
    pub fn label(&self) -> Option<u32> {
        self.action.checked_sub(1)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "S{:03}C{:03}P{:03}R{:03}A{:03}",
            self.setup, self.camera, self.person, self.replication, self.action
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_its_numbers_and_comes_back() {
        let name = Name::parse("S017C003P008R002A060").unwrap();
        assert_eq!((name.setup, name.camera, name.person), (17, 3, 8));
        assert_eq!((name.replication, name.action), (2, 60));
        assert_eq!(name.label(), Some(59));
        assert_eq!(name.to_string(), "S017C003P008R002A060");
    }

    #[test]
    fn other_names_are_none() {
        for text in [
            "",
            "S017C003P008R002A06",
            "S017C003P008R002A0600",
            "s017C003P008R002A060",
            "S017C003P008R002A+60",
            "S017P003C008R002A060",
            "S01éC003P008R002A060",
        ] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}
