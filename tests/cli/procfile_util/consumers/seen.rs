//! What the processes of the hostile app say of themselves.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

pub(crate) type Variables = BTreeMap<Vec<u8>, Vec<u8>>;

/// What a process says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) argv: Vec<Vec<u8>>,
    pub(crate) environ: Variables,
    /// User, group, working directory, open files, nice value.
    pub(crate) place: Vec<String>,
}

impl Seen {
    pub(crate) fn read(report: &Path) -> Self {
        let read = |name: &str| fs::read(report.join(name)).expect("a part of a report");
        let split = |bytes: &[u8]| -> Vec<Vec<u8>> {
            let bytes = bytes.strip_suffix(b"\0").unwrap_or(bytes);
            bytes.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
        };
        let pair = |line: &Vec<u8>| {
            let at = line.iter().position(|byte| *byte == b'=').unwrap_or(line.len());
            (line[..at].to_vec(), line.get(at + 1..).unwrap_or_default().to_vec())
        };
        Self {
            argv: split(&read("argv")),
            environ: split(&read("environ")).iter().map(pair).collect(),
            place: String::from_utf8_lossy(&read("place")).lines().map(str::to_owned).collect(),
        }
    }

    pub(crate) fn ps(&self) -> String {
        self.environ.get(&b"PS"[..]).map(|ps| String::from_utf8_lossy(ps).into_owned()).unwrap_or_default()
    }
}

/// Words for a message; of long ones the beginning.
pub(crate) fn shown(words: &[Vec<u8>]) -> String {
    let word = |word: &Vec<u8>| {
        let text = format!("{:?}", String::from_utf8_lossy(word));
        if text.len() > 200 {
            format!("{}… ({} bytes)", text.chars().take(80).collect::<String>(), word.len())
        } else {
            text
        }
    };
    format!("[{}]", words.iter().map(word).collect::<Vec<_>>().join(", "))
}
