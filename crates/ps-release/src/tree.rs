//! Decides how a directory is deployed: natively, or as an image that is built from it. The options of the deploy
//! decide, or else the files in the directory.

use std::collections::BTreeMap;
use std::path::Path;

use crate::Error;
use crate::kind::Kind;

/// The possible names of a Compose file. The first existing one is read.
const COMPOSE: [&str; 4] = ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];
const DOCKERFILE: &str = "Dockerfile";

/// The options for a directory.
#[derive(Clone, Debug, Default)]
pub struct Tree<'a> {
    /// The path of the Procfile in the directory.
    pub procfile: &'a str,
    /// Whether that path was configured; then the file must exist.
    pub procfile_is_named: bool,
    /// The path of app.json in the directory.
    pub app_json: &'a str,
    /// A command in place of the Procfile.
    pub command: Option<&'a str>,
    /// The image over which the directory is copied.
    pub base: Option<&'a str>,
    /// The Dockerfile in the directory.
    pub dockerfile: Option<&'a str>,
    /// The Compose file in the directory.
    pub compose: Option<&'a str>,
    /// Values of the arguments of the build.
    pub build_args: BTreeMap<String, String>,
    /// Whether the app runs in containers, if an option says so; `None`: the files in the directory decide.
    pub in_containers: Option<bool>,
}

/// The decision for a directory, with the file that defines the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decided {
    pub(crate) kind: Kind,
    /// The Dockerfile or the Compose file.
    pub(crate) file: Option<String>,
}

impl Tree<'_> {
    /// Decides how this directory is deployed.
    pub(crate) fn decide(&self, directory: &Path) -> Result<Decided, Error> {
        let decided = |kind, file: Option<&str>| Ok(Decided { kind, file: file.map(str::to_owned) });
        match (self.base, self.dockerfile, self.compose, self.command) {
            (Some(_), ..) => return decided(Kind::BaseImage, None),
            (_, Some(file), ..) => return decided(Kind::Dockerfile, Some(below(file)?)),
            (_, _, Some(file), _) => return decided(Kind::Compose, Some(below(file)?)),
            (.., Some(_)) => return decided(Kind::Command, None),
            (None, None, None, None) => {}
        }
        let has = |name: &str| directory.join(name).is_file();
        let compose = COMPOSE.into_iter().find(|name| has(name));
        let (has_procfile, has_dockerfile) = (has(self.procfile), has(DOCKERFILE));
        let wants_build = !self.build_args.is_empty();
        match self.in_containers {
            Some(false) => decided(Kind::Directory, None),
            None if has_procfile && !wants_build => decided(Kind::Directory, None),
            // A Compose file takes precedence over a Dockerfile, because it names the Dockerfile if it needs one.
            Some(true) | None => match compose {
                Some(file) if !has_procfile && !wants_build => decided(Kind::Compose, Some(file)),
                _ if has_dockerfile => decided(Kind::Dockerfile, Some(DOCKERFILE)),
                Some(file) if !has_procfile => decided(Kind::Compose, Some(file)),
                _ if self.in_containers.is_none() && !wants_build => decided(Kind::Directory, None),
                _ => Err(Error::NoImageOf {
                    directory: directory.to_owned(),
                    procfile: self.procfile.to_owned(),
                }),
            },
        }
    }

    /// A file that defines an image, for the message about a missing Procfile of a native app.
    pub(crate) fn recipe(directory: &Path) -> Option<&'static str> {
        COMPOSE.into_iter().chain([DOCKERFILE]).find(|name| directory.join(name).is_file())
    }
}

/// A path that stays inside of the directory.
fn below(path: &str) -> Result<&str, Error> {
    let plain = path.trim_start_matches("./");
    let leads_out = Path::new(plain).is_absolute() || plain.split('/').any(|part| part == "..");
    if plain.is_empty() || leads_out {
        return Err(Error::NotBelow { path: path.to_owned() });
    }
    Ok(plain)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn decided(files: &[&str], tree: &Tree<'_>) -> Result<&'static str, String> {
        let place = tempfile::tempdir().expect("a directory");
        for file in files {
            fs::write(place.path().join(file), "").expect("a file");
        }
        let decided = tree.decide(place.path()).map_err(|error| error.to_string())?;
        Ok(decided.kind.as_str())
    }

    #[test]
    fn what_lies_in_a_directory_says_what_it_is_deployed_as() {
        let tree = |in_containers| Tree { procfile: "Procfile", in_containers, ..Tree::default() };
        for (files, in_containers, kind) in [
            (&["Procfile"][..], None, "directory"),
            (&["Procfile", "Dockerfile", "compose.yaml"], None, "directory"),
            (&["Procfile", "Dockerfile", "compose.yaml"], Some(true), "dockerfile"),
            (&["Dockerfile"], None, "dockerfile"),
            (&["Dockerfile", "docker-compose.yml"], None, "compose"),
            (&["compose.yml"], Some(true), "compose"),
            (&["Dockerfile"], Some(false), "directory"),
            (&[], None, "directory"),
        ] {
            assert_eq!(decided(files, &tree(in_containers)), Ok(kind), "{files:?} {in_containers:?}");
        }
        for files in [&["Procfile"][..], &["Procfile", "compose.yaml"], &[]] {
            let refused = decided(files, &tree(Some(true))).expect_err("no image can be made");
            assert!(refused.contains("--base") && refused.contains("Dockerfile"), "{refused}");
        }
    }

    #[test]
    fn whoever_deploys_says_what_a_directory_is_deployed_as() {
        let tree = Tree { procfile: "Procfile", ..Tree::default() };
        let all = ["Procfile", "Dockerfile", "compose.yaml"];
        assert_eq!(decided(&all, &Tree { base: Some("x"), ..tree.clone() }), Ok("base-image"));
        assert_eq!(
            decided(&all, &Tree { dockerfile: Some("./Dockerfile"), ..tree.clone() }),
            Ok("dockerfile")
        );
        assert_eq!(decided(&all, &Tree { compose: Some("c.yaml"), ..tree.clone() }), Ok("compose"));
        assert_eq!(decided(&all, &Tree { command: Some("x"), ..tree.clone() }), Ok("command"));
        let build_args = BTreeMap::from([("A".to_owned(), "1".to_owned())]);
        assert_eq!(decided(&all, &Tree { build_args, ..tree.clone() }), Ok("dockerfile"));
        for path in ["../Dockerfile", "/etc/passwd", ""] {
            assert!(decided(&all, &Tree { dockerfile: Some(path), ..tree.clone() }).is_err(), "{path}");
        }
    }
}
