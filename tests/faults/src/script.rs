//! What a program did to the files of its world, in order, read from strace's lines. Only what succeeded counts.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// One deed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// A file was opened for writing: made if it was not there, emptied if `empties`.
    Open {
        /// The file.
        path: PathBuf,
        /// Descriptor.
        fd: u32,
        /// `O_TRUNC`.
        empties: bool,
    },
    /// Bytes were added at the end.
    Write {
        /// Descriptor.
        fd: u32,
        /// What was added.
        bytes: Vec<u8>,
    },
    /// A file or directory was synced.
    Sync {
        /// Descriptor.
        fd: u32,
        /// Its path when it was opened, which says which directory.
        path: PathBuf,
    },
    /// One path took the place of another.
    Rename {
        /// From.
        from: PathBuf,
        /// To.
        to: PathBuf,
        /// Both stay, exchanged.
        exchanges: bool,
    },
    /// A file or directory went.
    Remove(PathBuf),
    /// A directory came.
    MakeDirectory(PathBuf),
}

/// The calls that [`read`] understands.
pub const CALLS: &[&str] = &[
    "open",
    "openat",
    "write",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "rmdir",
    "mkdir",
    "mkdirat",
];

/// The deeds within `world` of one process. Lock files do not count.
pub fn read(lines: &[String], world: &Path) -> Result<Vec<Deed>> {
    let mut deeds = Vec::new();
    for line in lines {
        if let Some(deed) = read_line(line).with_context(|| line.clone())? {
            deeds.push(deed);
        }
    }
    let mut ours = Vec::new();
    deeds.retain(|deed| is_ours(deed, world, &mut ours));
    Ok(deeds)
}

fn is_ours(deed: &Deed, world: &Path, ours: &mut Vec<u32>) -> bool {
    let counts = |path: &Path| {
        let is_lock = path.ends_with("lock") || path.extension().is_some_and(|extension| extension == "lock");
        path.starts_with(world) && !is_lock
    };
    match deed {
        Deed::Open { path, fd, .. } => {
            ours.retain(|known| known != fd);
            if counts(path) {
                ours.push(*fd);
            }
            counts(path)
        }
        Deed::Write { fd, .. } => ours.contains(fd),
        Deed::Sync { path, .. } | Deed::Remove(path) | Deed::MakeDirectory(path) => counts(path),
        Deed::Rename { to, .. } => counts(to),
    }
}

fn read_line(line: &str) -> Result<Option<Deed>> {
    let call = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    let Some((name, rest)) = call.split_once('(') else { return Ok(None) };
    let (inside, result) = rest.rsplit_once(" = ").context("a call has a result")?;
    if result.starts_with('-') || result.starts_with('?') {
        return Ok(None);
    }
    let words = arguments(inside.trim_end().trim_end_matches(')'));
    let word = |index: usize| words.get(index).map_or("", String::as_str);
    Ok(match name {
        "open" => opened(text(word(0))?.into(), word(1), result)?,
        "openat" => opened(at(word(0), word(1))?, word(2), result)?,
        "write" => Some(Deed::Write { fd: number(word(0))?, bytes: text(word(1))?.into_bytes() }),
        "fsync" | "fdatasync" => Some(Deed::Sync { fd: number(word(0))?, path: described(word(0))? }),
        "rename" => Some(rename(text(word(0))?.into(), text(word(1))?.into(), "")),
        "renameat" | "renameat2" => Some(rename(at(word(0), word(1))?, at(word(2), word(3))?, word(4))),
        "unlink" | "rmdir" => Some(Deed::Remove(text(word(0))?.into())),
        "unlinkat" => Some(Deed::Remove(at(word(0), word(1))?)),
        "mkdir" => Some(Deed::MakeDirectory(text(word(0))?.into())),
        "mkdirat" => Some(Deed::MakeDirectory(at(word(0), word(1))?)),
        other => bail!("{other} is not understood"),
    })
}

fn opened(path: PathBuf, flags: &str, result: &str) -> Result<Option<Deed>> {
    let writes = flags.contains("O_WRONLY") || flags.contains("O_RDWR");
    let deed = || -> Result<Deed> {
        Ok(Deed::Open { path, fd: number(result)?, empties: flags.contains("O_TRUNC") })
    };
    if writes { deed().map(Some) } else { Ok(None) }
}

fn rename(from: PathBuf, to: PathBuf, flags: &str) -> Deed {
    Deed::Rename { from, to, exchanges: flags.contains("RENAME_EXCHANGE") }
}

/// `4</a/b>` and `"c"`: `/a/b/c`.
fn at(directory: &str, name: &str) -> Result<PathBuf> {
    Ok(described(directory)?.join(text(name)?))
}

fn described(descriptor: &str) -> Result<PathBuf> {
    let (_, path) = descriptor.split_once('<').context("a descriptor has a path")?;
    Ok(PathBuf::from(path.trim_end_matches('>')))
}

fn number(descriptor: &str) -> Result<u32> {
    let digits = descriptor.split('<').next().unwrap_or_default();
    digits.trim().parse().with_context(|| format!("{descriptor:?} is no descriptor"))
}

/// A C string with the few escapes that our values need.
fn text(word: &str) -> Result<String> {
    let inner = word.strip_prefix('"').and_then(|word| word.strip_suffix('"')).context("a whole string")?;
    let mut out = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match (c, (c == '\\').then(|| chars.next()).flatten()) {
            ('\\', Some('n')) => out.push('\n'),
            ('\\', Some('t')) => out.push('\t'),
            ('\\', Some(quoted @ ('"' | '\\'))) => out.push(quoted),
            ('\\', other) => bail!("escape {other:?} is not understood"),
            (plain, _) => out.push(plain),
        }
    }
    Ok(out)
}

/// Splits at commas outside of strings and of the paths of descriptors.
fn arguments(inside: &str) -> Vec<String> {
    let (mut words, mut word) = (Vec::new(), String::new());
    let (mut is_string, mut is_path, mut is_escaped) = (false, false, false);
    for c in inside.chars() {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '"' => is_string = !is_string,
            '<' if !is_string => is_path = true,
            '>' if !is_string => is_path = false,
            ',' if !is_string && !is_path => {
                words.push(std::mem::take(&mut word).trim().to_owned());
                continue;
            }
            _ => (),
        }
        word.push(c);
    }
    words.push(word.trim().to_owned());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_strace_become_deeds() {
        let lines = [
            r#"12 openat(5</w/d/.stage>, "0.a", O_WRONLY|O_CREAT|O_EXCL, 0600) = 7</w/d/.stage/0.a>"#,
            r#"12 write(7</w/d/.stage/0.a>, "x, \"y\"\n", 7) = 7"#,
            r#"12 write(2</dev/null>, "talk", 4) = 4"#,
            r#"12 mkdirat(AT_FDCWD</>, "/w/d", 0755) = -1 EEXIST (File exists)"#,
            r#"12 renameat2(5</w/d/.stage>, "0.a", 4</w/d>, "a", RENAME_EXCHANGE) = 0"#,
            "12 +++ exited with 0 +++",
        ];
        let deeds = read(&lines.map(str::to_owned), Path::new("/w")).expect("lines that are understood");
        let (from, to) = (PathBuf::from("/w/d/.stage/0.a"), PathBuf::from("/w/d/a"));
        let expected = [
            Deed::Open { path: from.clone(), fd: 7, empties: false },
            Deed::Write { fd: 7, bytes: b"x, \"y\"\n".to_vec() },
            Deed::Rename { from, to, exchanges: true },
        ];
        assert_eq!(deeds, expected);
    }
}
