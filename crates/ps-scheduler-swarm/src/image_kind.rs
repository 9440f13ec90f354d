//! Commands for images whose processes a launcher starts ([`ImageKind::Buildpacks`]).

use std::collections::BTreeSet;

use ps_engine::{ImageKind, LAUNCHER};
use ps_scheduler::Error;
use serde_json::{Value, json};

use crate::failed::failed;
use crate::manager::Manager;
use crate::swarm::Swarm;

impl Swarm {
    /// The kind of an image that this machine's engine has.
    ///
    /// # Errors
    /// The engine does not have it, or does not answer.
    pub fn kind_of_image(&self, image: &str) -> Result<ImageKind, Error> {
        let engine = self.engine()?;
        let found = engine.run(engine.image(image));
        let found = found.map_err(|fault| failed(&fault, &format!("look at the image {image}")))?;
        Ok(ImageKind::of(&found))
    }
}

/// Those images whose commands a launcher runs.
#[derive(Clone, Debug, Default)]
pub(crate) struct Launched(BTreeSet<String>);

impl Launched {
    /// Those of these. Of an image that this machine does not have nobody knows its kind: it is taken for a plain one.
    pub(crate) async fn of<'a>(
        manager: &Manager<'_>,
        images: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, Error> {
        let mut launched = BTreeSet::new();
        for name in images.into_iter().filter(|name| !name.is_empty()).collect::<BTreeSet<_>>() {
            match manager.engine.image(name).await {
                Ok(image) if ImageKind::of(&image) == ImageKind::Buildpacks => {
                    launched.insert(name.to_owned());
                }
                Err(fault) if !fault.is_gone() => {
                    return Err(failed(&fault, &format!("look at the image {name}")));
                }
                _ => {}
            }
        }
        Ok(Self(launched))
    }

    /// Has the launcher run a command line in a container, if its image has one. A line that comes alone is a script for the launcher's shell.
    pub(crate) fn run_line(&self, container: &mut Value, line: Option<&str>) {
        self.run(container, line.map(|line| vec![line.to_owned()]));
    }

    /// The same of words, which are taken as they are.
    pub(crate) fn run_words(&self, container: &mut Value, words: &[String]) {
        self.run(container, Some([&["--".to_owned()][..], words].concat()));
    }

    fn run(&self, container: &mut Value, arguments: Option<Vec<String>>) {
        let is_launched = container["Image"].as_str().is_some_and(|image| self.0.contains(image));
        // Without a command the ENTRYPOINT of the image starts what it is for.
        if let Some(arguments) = arguments.filter(|_| is_launched) {
            container["Command"] = json!([LAUNCHER]);
            container["Args"] = json!(arguments);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_of_images_with_a_launcher_are_given_to_it() {
        let launched = Launched(BTreeSet::from(["packed:1".to_owned()]));
        let of = |image: &str, line: Option<&str>| {
            let mut container = json!({"Image": image, "Args": ["/bin/sh", "-c", "exec serve"]});
            launched.run_line(&mut container, line);
            container
        };
        let packed = of("packed:1", Some("serve -p $PORT && x"));
        assert_eq!(packed["Command"], json!(["launcher"]));
        assert_eq!(packed["Args"], json!(["serve -p $PORT && x"]));
        for plain in [of("packed:1", None), of("shop:1", Some("serve"))] {
            assert_eq!(plain["Command"], Value::Null);
            assert_eq!(plain["Args"], json!(["/bin/sh", "-c", "exec serve"]));
        }
        let mut once = json!({"Image": "packed:1"});
        launched.run_words(&mut once, &["echo".to_owned(), "$A".to_owned()]);
        assert_eq!(once["Args"], json!(["--", "echo", "$A"]));
    }
}
