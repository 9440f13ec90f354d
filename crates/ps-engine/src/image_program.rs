//! Finds out whether an image has a program, without running the image.

use std::collections::HashMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::deadline::HEAVY;
use crate::tale::encoded;
use crate::{Engine, Fault, transport};

const LOOK: &str = "look for a program in an image";
/// The header in which the engine describes the file at a path of a container: JSON in base64.
const STAT: &str = "X-Docker-Container-Path-Stat";
/// The bits of a mode in Go's encoding that a regular file does not have.
const OTHER_KINDS: u64 = 0x8F28_0000;
const SYMLINK: u64 = 1 << 27;
const EXECUTABLE: u64 = 0o111;
/// The number of symbolic links that a kernel follows at most.
const MOST_LINKS: u32 = 40;

/// The kind of file at a path of an image.
#[derive(Debug, PartialEq, Eq)]
enum At {
    Program,
    /// A symbolic link, and the path that it leads to.
    Link(String),
    Other,
}

impl Engine {
    /// Whether an image has an executable file at an absolute path; symbolic links are followed. The container that is made for this has
    /// the given name and labels.
    ///
    /// # Errors
    /// The engine does not answer, or has no such image.
    pub async fn image_has_program(
        &self,
        image: &str,
        path: &str,
        name: &str,
        labels: HashMap<String, String>,
    ) -> Result<bool, Fault> {
        let id = self.image_reader(image, name, labels).await?;
        let found = self.is_program(&id, path).await;
        self.remove(&id).await?;
        found
    }

    async fn is_program(&self, id: &str, path: &str) -> Result<bool, Fault> {
        let mut path = path.to_owned();
        for _ in 0..MOST_LINKS {
            let asked = format!("/containers/{id}/archive?path={}", encoded(&path));
            let head = match self.within(LOOK, HEAVY, transport::head(&self.socket, &asked)).await {
                Ok(head) => head,
                Err(fault) if fault.is_gone() => return Ok(false),
                Err(fault) => return Err(fault),
            };
            let stat = head.headers().get(STAT).and_then(|value| value.to_str().ok());
            let at = stat.and_then(at);
            let unclear = || Fault::broke_off(&self.socket, LOOK, "it does not describe the file");
            match at.ok_or_else(unclear)? {
                At::Program => return Ok(true),
                At::Link(target) if target.starts_with('/') => path = target,
                At::Link(_) | At::Other => return Ok(false),
            }
        }
        Ok(false)
    }
}

/// The kind of file that the engine's description shows. For a link the description has the absolute path at its end.
fn at(stat: &str) -> Option<At> {
    let stat: Value = serde_json::from_slice(&BASE64_STANDARD.decode(stat).ok()?).ok()?;
    let mode = stat["mode"].as_u64()?;
    Some(if mode & SYMLINK != 0 {
        At::Link(stat["linkTarget"].as_str().unwrap_or_default().to_owned())
    } else if mode & OTHER_KINDS == 0 && mode & EXECUTABLE != 0 {
        At::Program
    } else {
        At::Other
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_a_regular_file_that_may_be_executed() {
        let of = |mode: u64, target: &str| {
            let json = serde_json::json!({"name": "sh", "size": 1, "mode": mode, "linkTarget": target});
            at(&BASE64_STANDARD.encode(json.to_string()))
        };
        assert_eq!(of(0o755, ""), Some(At::Program));
        assert_eq!(of(0o4755 | 1 << 23, ""), Some(At::Program), "setuid is no other kind of file");
        assert_eq!(of(0o644, ""), Some(At::Other));
        assert_eq!(of(1 << 31 | 0o755, ""), Some(At::Other), "a directory");
        assert_eq!(of(SYMLINK | 0o777, "/usr/bin/dash"), Some(At::Link("/usr/bin/dash".to_owned())));
        assert_eq!(at("no base64"), None);
    }
}
