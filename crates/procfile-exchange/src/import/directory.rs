//! The directories in which processes start. All commands of a Procfile start in the app's directory. The directory that contains the
//! directories of all other processes is taken for the app's, and a command that starts in another one gets a `cd` in front:
//! of `/srv/shop` and `/srv/shop/mail`, the first is the app's, and the second becomes `cd mail && …`.

/// A path without parts that mean nothing: `./a//b/.` is `a/b`.
pub(crate) fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    format!("{}{}", if path.starts_with('/') { "/" } else { "" }, parts.join("/"))
}

/// A path that may be relative, resolved from a directory. A path in a home directory, or one with a variable, stays
/// unchanged.
pub(crate) fn from(directory: &str, path: &str) -> String {
    match path {
        "" => directory.to_owned(),
        path if path.starts_with(['/', '~', '$', '%']) => path.to_owned(),
        path => format!("{directory}/{path}"),
    }
}

/// Whether a path that was made plain names no directory of its own: `.`, which is empty then, and `/`.
pub(crate) fn is_here(path: &str) -> bool {
    matches!(path, "" | "/")
}

/// The app's directory: of the absolute paths that are named, the one that contains all others.
pub(crate) fn home<'a>(starts: impl Iterator<Item = &'a String>) -> Option<String> {
    let whole: Vec<&String> = starts.filter(|start| start.starts_with('/') && !is_here(start)).collect();
    let shortest = whole.iter().min_by_key(|start| start.len())?;
    let holds = |start: &&String| rest(shortest, start).is_some();
    whole.iter().all(holds).then(|| (*shortest).clone())
}

/// The path of a directory, relative to the app's if it is below that one; `None` if it is the app's own directory, or a path that
/// cannot be written in a command.
pub(crate) fn below(home: Option<&str>, start: &str) -> Option<String> {
    let is_plain = !start.starts_with('~') && !start.contains(|c: char| c.is_control() || "$%".contains(c));
    let way = home.and_then(|home| rest(home, start)).unwrap_or(start);
    (is_plain && !way.is_empty()).then(|| way.to_owned())
}

/// The part of a path below another path; empty if the two are the same.
fn rest<'a>(above: &str, path: &'a str) -> Option<&'a str> {
    match path.strip_prefix(above)? {
        "" => Some(""),
        rest => rest.strip_prefix('/'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(starts: &[&str]) -> Vec<String> {
        let starts: Vec<String> = starts.iter().map(|start| plain(start)).collect();
        let home = home(starts.iter());
        starts.iter().map(|start| below(home.as_deref(), start).unwrap_or_default()).collect()
    }

    #[test]
    fn the_directory_that_holds_the_others_is_the_apps() {
        assert_eq!(ways(&["/srv/blog", "/srv/blog/", "./"]), ["", "", ""]);
        assert_eq!(ways(&["/srv/blog/worker", "/srv/blog", "mail//x"]), ["worker", "", "mail/x"]);
        assert_eq!(ways(&["/srv/api", "/srv/apis"]), ["/srv/api", "/srv/apis"]);
        assert_eq!(ways(&["../x", "~/x", "${X}", "%h/x", "a\nb"]), ["../x", "", "", "", ""]);
    }
}
