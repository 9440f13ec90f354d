//! `scripts`: commands that Dokku runs in the app's image. Formation runs none of them.

use crate::Error;
use crate::keys::{DOKKU, SCRIPTS};
use crate::node::Node;
use crate::remark::Remark;

const PREDEPLOY: &str = "scripts.dokku.predeploy";
const DOKKU_POSTDEPLOY: &str = "scripts.dokku.postdeploy";
const POSTDEPLOY: &str = "scripts.postdeploy";

#[derive(Clone, Debug, Default)]
pub(crate) struct Scripts {
    predeploy: String,
    dokku_postdeploy: String,
    postdeploy: String,
}

impl Scripts {
    pub(crate) fn read(&mut self, node: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<(), Error> {
        for (key, field) in node.fields(SCRIPTS, remarks)? {
            match key {
                "dokku" => self.read_dokku(&field, remarks)?,
                "postdeploy" => set(&mut self.postdeploy, &field)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_dokku(&mut self, node: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<(), Error> {
        for (key, field) in node.fields(DOKKU, remarks)? {
            let place = if key == "predeploy" { &mut self.predeploy } else { &mut self.dokku_postdeploy };
            set(place, &field)?;
        }
        Ok(())
    }

    /// The place of the first script that the file has.
    pub(crate) fn first(&self) -> Option<&'static str> {
        self.places().next()
    }

    pub(crate) fn remark(&self, remarks: &mut Vec<Remark>) {
        remarks.extend(self.places().map(|place| {
            let why = match place {
                PREDEPLOY => "a release process in the Procfile runs before the new instances start",
                DOKKU_POSTDEPLOY => "the hook post-deploy is called after each deploy",
                _ => "run it by hand after the first deploy",
            };
            Remark::unread(place, why)
        }));
    }

    fn places(&self) -> impl Iterator<Item = &'static str> {
        let scripts = [
            (PREDEPLOY, &self.predeploy),
            (DOKKU_POSTDEPLOY, &self.dokku_postdeploy),
            (POSTDEPLOY, &self.postdeploy),
        ];
        scripts.into_iter().filter(|(_, script)| !script.is_empty()).map(|(place, _)| place)
    }
}

/// As in Go, null keeps the value that an earlier key of the same name gave.
fn set(script: &mut String, node: &Node<'_>) -> Result<(), Error> {
    if let Some(command) = node.string()? {
        *script = command;
    }
    Ok(())
}
