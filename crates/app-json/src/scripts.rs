//! `scripts`: commands that belong to a deploy and run once during it.

use crate::Error;
use crate::keys::{DOKKU, SCRIPTS};
use crate::node::Node;
use crate::remark::Remark;

const ALL: [Script; 3] = [Script::Predeploy, Script::Postdeploy, Script::FirstDeploy];
const UNREAD: &str = "a deploy of a directory or of one image runs it, and no other does";

/// The scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Before the new instances start.
    Predeploy,
    /// When the new release runs.
    Postdeploy,
    /// Only in the first deploy of an app, before its instances start.
    FirstDeploy,
}

impl Script {
    /// The place of the script in the file.
    pub fn place(self) -> &'static str {
        match self {
            Self::Predeploy => "scripts.dokku.predeploy",
            Self::Postdeploy => "scripts.dokku.postdeploy",
            Self::FirstDeploy => "scripts.postdeploy",
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Scripts {
    predeploy: String,
    postdeploy: String,
    first_deploy: String,
}

impl Scripts {
    pub(crate) fn read(&mut self, node: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<(), Error> {
        for (key, field) in node.fields(SCRIPTS, remarks)? {
            match key {
                "dokku" => self.read_dokku(&field, remarks)?,
                "postdeploy" => set(&mut self.first_deploy, &field)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn read_dokku(&mut self, node: &Node<'_>, remarks: &mut Vec<Remark>) -> Result<(), Error> {
        for (key, field) in node.fields(DOKKU, remarks)? {
            let script = if key == "predeploy" { &mut self.predeploy } else { &mut self.postdeploy };
            set(script, &field)?;
        }
        Ok(())
    }

    /// The command line of a script; `None` if the file has none.
    pub(crate) fn get(&self, script: Script) -> Option<&str> {
        let command = match script {
            Script::Predeploy => &self.predeploy,
            Script::Postdeploy => &self.postdeploy,
            Script::FirstDeploy => &self.first_deploy,
        };
        Some(command.as_str()).filter(|command| !command.trim().is_empty())
    }

    /// The place of the first script that the file has.
    pub(crate) fn first(&self) -> Option<&'static str> {
        self.places().next()
    }

    pub(crate) fn remark(&self, remarks: &mut Vec<Remark>) {
        remarks.extend(self.places().map(|place| Remark::unread(place, UNREAD)));
    }

    fn places(&self) -> impl Iterator<Item = &'static str> {
        ALL.into_iter().filter(|script| self.get(*script).is_some()).map(Script::place)
    }
}

/// Sets a script. As in Go, null keeps the value of an earlier key of the same name.
fn set(script: &mut String, node: &Node<'_>) -> Result<(), Error> {
    if let Some(command) = node.string()? {
        *script = command;
    }
    Ok(())
}
