//! Files whose name is almost that of a missing one: with other capitals, with an extension, or with one typing error. No
//! program reads such a file, although its author expects that.

use std::fs;
use std::path::Path;

/// A directory with more entries than this is not searched to its end.
const MAX_ENTRIES: usize = 10_000;

/// The name of a file in `directory` that was probably meant to be `name`; `None` if `name` exists, or no name is similar.
pub fn mistaken_for(directory: &Path, name: &str) -> Option<String> {
    if directory.join(name).symlink_metadata().is_ok() {
        return None;
    }
    let mut found: Vec<String> = names(directory).filter(|other| is_like(other, name)).collect();
    found.sort();
    found.into_iter().next()
}

/// Files that are called `name` with an extension, such as `Procfile.dev`, sorted.
pub fn variants(directory: &Path, name: &str) -> Vec<String> {
    let prefix = format!("{name}.");
    let mut found: Vec<String> = names(directory).filter(|other| other.starts_with(&prefix)).collect();
    found.sort();
    found
}

fn names(directory: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten().take(MAX_ENTRIES);
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| !kind.is_dir()));
    files.filter_map(|entry| entry.file_name().into_string().ok())
}

fn is_like(other: &str, name: &str) -> bool {
    let (other, name) = (other.trim().to_lowercase(), name.to_lowercase());
    let stem = other.strip_suffix(".txt").unwrap_or(&other);
    strsim::osa_distance(stem, &name) <= 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_nearly_right_are_known_and_others_are_not() {
        for (name, others) in [
            ("Procfile", &["procfile", "PROCFILE", "Procfile.txt", "Profile", "Procfile "][..]),
            ("app.json", &["App.json", "app.JSON", "app.json.txt", "app.jsonc", "appjson"]),
            ("DOKKU_SCALE", &["dokku_scale", "DOKKU-SCALE", "DOKKU_SCALE.txt"]),
        ] {
            for other in others {
                assert!(is_like(other, name), "{other}");
            }
        }
        for other in ["Procfile.dev", "Makefile", "package.json", "Dockerfile", "map.json.bak"] {
            assert!(!is_like(other, "Procfile") && !is_like(other, "app.json"), "{other}");
        }
    }
}
