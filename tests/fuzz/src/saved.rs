//! Saved inputs in a text file, one a line: printable ASCII as it is, every other byte and `\` as `\xNN`.

use std::fmt::Write as _;

/// The inputs of a text.
pub fn read(text: &str) -> Vec<Vec<u8>> {
    text.lines().map(input).collect()
}

/// The text of inputs, shortest first.
pub fn write(mut inputs: Vec<Vec<u8>>) -> String {
    inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
    inputs.dedup();
    inputs.iter().map(|input| line(input) + "\n").collect()
}

fn line(input: &[u8]) -> String {
    let mut line = String::new();
    for byte in input {
        match byte {
            b' '..=b'~' if *byte != b'\\' => line.push(char::from(*byte)),
            other => write!(line, "\\x{other:02x}").expect("a string takes what is written to it"),
        }
    }
    line
}

fn input(line: &str) -> Vec<u8> {
    let mut parts = line.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (byte, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(byte, 16).expect("two hexadecimal digits stand behind \\x"));
        bytes.extend(rest.as_bytes());
    }
    bytes
}
