//! The directories in which processes start. All commands of a Procfile start in one directory, the app's: the one that contains
//! those of all processes is taken for it. A command that starts in another one gets a `cd` in front.

/// A directory without what says nothing: `./a//b/.` is `a/b`.
pub(crate) fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    format!("{}{}", if path.starts_with('/') { "/" } else { "" }, parts.join("/"))
}

/// Whether it says no more than where the app starts.
pub(crate) fn is_here(path: &str) -> bool {
    matches!(path, "" | "/")
}

/// The directory that the app starts in: of those that are named with all of their path the one that holds all others.
pub(crate) fn home<'a>(starts: impl Iterator<Item = &'a String>) -> Option<String> {
    let whole: Vec<&String> = starts.filter(|start| start.starts_with('/') && !is_here(start)).collect();
    let shortest = whole.iter().min_by_key(|start| start.len())?;
    let holds = |start: &&String| rest(shortest, start).is_some();
    whole.iter().all(holds).then(|| (*shortest).clone())
}

/// The way from the app's directory to another, or all of its path; `None` if it is the app's own, or none that a
/// shell could be told.
pub(crate) fn below(home: Option<&str>, start: &str) -> Option<String> {
    let is_plain = !start.starts_with('~') && !start.contains(|c: char| c.is_control() || "$%".contains(c));
    let way = home.and_then(|home| rest(home, start)).unwrap_or(start);
    (is_plain && !way.is_empty()).then(|| way.to_owned())
}

/// What of a path is below another; empty if they are the same.
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
