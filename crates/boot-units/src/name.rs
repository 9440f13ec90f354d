//! Names of services. An init system has one set of names for all worlds, so the name of a world other than the default one contains its
//! directory.

use std::fmt::Write;
use std::path::Path;

use crate::quote::{self, Unusable};

/// The service of the default world.
pub const USUAL: &str = "formation";

/// The name of the service for the world in a directory: `formation-home-ann-.pm2-formation` for `/home/ann/.pm2/formation`. Different
/// directories have different names: a `-` of a path becomes `_-`, a `_` becomes `__`, and any byte that is neither a letter, a digit
/// nor a dot becomes `_` and its value in hexadecimal.
///
/// # Errors
/// The path is no text, or has control characters.
pub fn service_of(directory: &Path) -> Result<String, Unusable> {
    let mut name = format!("{USUAL}-");
    for byte in quote::text(directory)?.trim_matches('/').bytes() {
        match byte {
            b'/' => name.push('-'),
            b'-' | b'_' => name.extend(['_', char::from(byte)]),
            b'.' => name.push('.'),
            byte if byte.is_ascii_alphanumeric() => name.push(char::from(byte)),
            byte => write!(name, "_{byte:02x}").expect("memory takes what is written"),
        }
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_directory_has_a_name_of_its_own() {
        let name = |path: &str| service_of(Path::new(path)).expect("a name");
        assert_eq!(name("/home/ann/.pm2/formation"), "formation-home-ann-.pm2-formation");
        assert_eq!(name("/srv/my-own_app é/"), "formation-srv-my_-own__app_20_c3_a9");
        let names = ["/a/b", "/a-b", "/a_b", "/a_-b", "/a/_b", "/a_/b"].map(name);
        assert_eq!(std::collections::BTreeSet::from(names).len(), 6);
        assert!(service_of(Path::new("/a\nb")).is_err());
    }
}
