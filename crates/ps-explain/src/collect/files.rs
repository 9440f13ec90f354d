//! The files that a command names: whether they can be run at all.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use formation::Slot;

use super::look::Look;
use crate::facts::{BadFile, Trouble};

/// How much of a file is read, in bytes.
const HEAD: u64 = 4096;
/// Where an ELF file says for which machine it is, and the two bytes before that say what kind of file it is.
const MACHINE: std::ops::Range<usize> = 18..20;

/// The first file that the command of a native instance names and that could not be run.
pub(super) fn bad_file(look: &Look<'_>, slot: &Slot) -> Option<BadFile> {
    let spec = look.spec.as_ref()?;
    let command = &spec.process(&slot.process_type)?.command;
    let words: Vec<&str> = command.split_ascii_whitespace().collect();
    words.iter().enumerate().find_map(|(index, word)| {
        let word = word.trim_matches(['"', '\'', ';', '(', ')']);
        let path = spec.directory.join(word);
        let is_read_by_shell = index > 0 && is_shell(words[index - 1]);
        let trouble = trouble(&head(&path)?, is_read_by_shell)?;
        Some(BadFile { path, trouble })
    })
}

fn is_shell(program: &str) -> bool {
    matches!(program.rsplit('/').next(), Some("sh" | "bash" | "dash" | "ash" | "ksh" | "zsh"))
}

/// The beginning of a file; `None`: it is no file, or cannot be read.
fn head(path: &Path) -> Option<Vec<u8>> {
    if !path.is_file() {
        return None;
    }
    let mut head = Vec::new();
    File::open(path).ok()?.take(HEAD).read_to_end(&mut head).ok()?;
    Some(head)
}

/// What is wrong with a file that begins like this.
fn trouble(head: &[u8], is_read_by_shell: bool) -> Option<Trouble> {
    if head.starts_with(b"\x7fELF") {
        let own = self::head(&PathBuf::from("/proc/self/exe"))?;
        return (head.get(MACHINE)? != own.get(MACHINE)?).then_some(Trouble::OtherMachine);
    }
    let first = head.split(|byte| *byte == b'\n').next()?;
    let first = first.strip_prefix(b"#!").map(String::from_utf8_lossy);
    let by_shell = first.as_ref().map_or(is_read_by_shell, |first| first.split_whitespace().any(is_shell));
    let has_carriage_returns = head.windows(2).any(|pair| pair == b"\r\n");
    if first.as_ref().is_some_and(|first| first.ends_with('\r')) || (by_shell && has_carriage_returns) {
        return Some(Trouble::LineEndings);
    }
    let first = first?;
    let interpreter = first.split_whitespace().next()?;
    let is_gone = interpreter.starts_with('/') && !Path::new(interpreter).is_file();
    is_gone.then(|| Trouble::NoInterpreter(interpreter.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_with_carriage_returns_is_in_trouble_where_a_shell_reads_it_or_its_first_line_has_one() {
        for (head, is_read_by_shell, expected) in [
            (&b"#!/bin/sh\r\nexit\r\n"[..], false, Some(Trouble::LineEndings)),
            (b"#!/bin/sh\necho\r\n", false, Some(Trouble::LineEndings)),
            (b"set -e\r\n", true, Some(Trouble::LineEndings)),
            (b"import os\r\n", false, None),
            (b"#!/usr/bin/env sh\necho\n", false, None),
            (b"#!/opt/gone\nx\n", false, Some(Trouble::NoInterpreter("/opt/gone".to_owned()))),
        ] {
            assert_eq!(trouble(head, is_read_by_shell), expected, "{}", String::from_utf8_lossy(head));
        }
    }
}
