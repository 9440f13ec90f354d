//! Files in a container that outlive it: directories and files of the host, and volumes of the engine.

use std::fmt;
use std::str::FromStr;

use super::elements;

/// The options that may follow a target.
const OPTIONS: [&str; 15] = [
    "ro",
    "rw",
    "z",
    "Z",
    "nocopy",
    "cached",
    "consistent",
    "delegated",
    "private",
    "rprivate",
    "rshared",
    "rslave",
    "shared",
    "slave",
    "U",
];

/// Mounts, at most one for each target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mounts(Vec<Mount>);

/// One mount: `/srv/files:/files:ro`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mount {
    /// A path of the host, or the name of a volume.
    pub source: String,
    /// The path in the container.
    pub target: String,
    /// `ro`, and other options that the engine knows.
    pub options: Vec<String>,
}

impl Mount {
    /// The path on the host; `None` for a volume.
    pub fn path(&self) -> Option<&str> {
        Some(&*self.source).filter(|source| source.starts_with('/'))
    }
}

impl Mounts {
    /// The mounts in their order.
    pub fn iter(&self) -> impl Iterator<Item = &Mount> {
        self.0.iter()
    }

    /// These mounts, with those of a more general value that have other targets.
    #[must_use]
    pub fn over(&self, under: &Self) -> Self {
        Self(elements::laid_over(&self.0, &under.0, |mount| mount.target.trim_end_matches('/')))
    }
}

impl FromStr for Mounts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mounts: Vec<Mount> =
            elements::split(text)?.iter().map(|one| mount(one)).collect::<Result<_, _>>()?;
        match elements::twice(mounts.iter().map(|mount| mount.target.trim_end_matches('/'))) {
            Some(target) => Err(format!("two are mounted at {target}")),
            None => Ok(Self(mounts)),
        }
    }
}

fn mount(element: &str) -> Result<Mount, String> {
    let mut parts = element.splitn(3, ':');
    let (source, target) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let options: Vec<String> =
        parts.next().map(|all| all.split(',').map(str::to_owned).collect()).unwrap_or_default();
    if target.is_empty() {
        return Err(format!(
            "{element:?} is no mount: use a whole path or the name of a volume, and where it is in the container, such as /srv/files:/files:ro"
        ));
    }
    if source.starts_with('/') {
        if source.split('/').any(|part| part == "..") {
            return Err(format!("{source:?} has .. in it: write the path that is meant"));
        }
    } else if source.starts_with(['.', '~']) || source.contains('/') {
        return Err(format!("{source:?} is relative, and nobody knows to what: write the whole path"));
    } else if !(elements::is_name(source) && source.len() > 1) {
        return Err(format!(
            "{source:?} is no volume: its name has letters, digits, _, . and -, two at least; a path begins with /"
        ));
    }
    let is_inside = |part: &str| !matches!(part, "" | "." | "..");
    if !target.starts_with('/') || !target.trim_matches('/').split('/').all(is_inside) {
        return Err(format!("{target:?} is no place in a container: use a whole path below /, without .."));
    }
    if let Some(option) = options.iter().find(|option| !OPTIONS.contains(&option.as_str())) {
        return Err(format!("{option:?} is no option of a mount: use some of {}", OPTIONS.join(", ")));
    }
    let has = |option: &str| options.iter().any(|other| other == option);
    if has("ro") && has("rw") {
        return Err(format!("{target} cannot be both ro and rw"));
    }
    Ok(Mount { source: source.to_owned(), target: target.to_owned(), options })
}

impl fmt::Display for Mount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.source, self.target)?;
        if self.options.is_empty() { Ok(()) } else { write!(f, ":{}", self.options.join(",")) }
    }
}

impl fmt::Display for Mounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        elements::write(f, &self.0)
    }
}
