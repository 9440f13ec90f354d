//! Builds an image from a Dockerfile: the engine gets a tar archive, carries out the steps, and reports each of them.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::errors::Error as BollardError;
use futures_util::Stream;
use hyper::Request;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use registry_logins::Logins;
use serde_json::Value;

use crate::activity::Activity;
use crate::tale::{self, Patience, Tale};
use crate::trace::Trace;
use crate::{Engine, Fault};

const ASKED: &str = "build an image";
/// The first answer comes when the engine has received the whole archive. A step may compile for a long time without
/// output.
const PATIENCE: Patience = Patience { first: Duration::from_secs(60), next: Duration::from_secs(1800) };

/// The parameters of a build, in addition to the archive.
#[derive(Clone, Debug, Default)]
pub struct Build {
    /// The Dockerfile in the archive.
    pub dockerfile: String,
    /// Values of the arguments of the Dockerfile.
    pub arguments: BTreeMap<String, String>,
    /// The last stage to build; empty: the last one of the Dockerfile.
    pub target: String,
    /// The labels of the image.
    pub labels: HashMap<String, String>,
    /// Whether images that the build starts from are pulled even if the engine has them.
    pub pulls: bool,
    /// The builder.
    pub builder: Builder,
}

/// One of the engine's two builders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Builder {
    /// The first one.
    #[default]
    Classic,
    /// The builder that mounts, here-documents and frontends need. Without a session of a client it has no secrets and no
    /// credentials.
    BuildKit,
}

/// A progress message of a build.
#[derive(Clone, Copy, Debug)]
pub enum BuildNews<'a> {
    /// Output of the classic builder, which may end in the middle of a line.
    Text(&'a str),
    /// A progress message of BuildKit.
    Trace(&'a Trace),
}

impl Build {
    fn path(&self) -> String {
        let json = |value: &Value| tale::encoded(&value.to_string());
        format!(
            "/build?dockerfile={}&buildargs={}&labels={}&target={}&rm=1&forcerm=1&version={}{}",
            tale::encoded(&self.dockerfile),
            json(&serde_json::json!(self.arguments)),
            json(&serde_json::json!(self.labels)),
            tale::encoded(&self.target),
            match self.builder {
                Builder::Classic => 1,
                Builder::BuildKit => 2,
            },
            if self.pulls { "&pull=1" } else { "" }
        )
    }
}

impl Engine {
    /// Builds an image from the archive that comes in these pieces; returns its id. `hear` gets the progress messages of the
    /// engine. If the future is dropped, the engine ends the build.
    pub async fn build(
        &self,
        build: &Build,
        archive: impl Stream<Item = Result<Bytes, std::io::Error>> + Send + 'static,
        logins: &Logins,
        mut hear: impl FnMut(BuildNews<'_>),
    ) -> Result<String, Fault> {
        let mut request = Request::post(build.path()).header(CONTENT_TYPE, "application/x-tar");
        if let Some(headers) = logins.headers() {
            request = request.header("X-Registry-Config", headers);
        }
        let activity = Activity::default();
        let request = request.body(bollard::body_try_stream(activity.clone().of(archive)));
        let request = request.map_err(|error| Fault::of(&self.socket, ASKED, BollardError::from(error)))?;
        let tale = Tale { socket: &self.socket, asked: ASKED, patience: PATIENCE, activity };
        let (mut id, mut garbled) = (None, None);
        tale.listen(request, |object| {
            if let Some(text) = object["stream"].as_str() {
                hear(BuildNews::Text(text));
            }
            match Trace::of(object) {
                Some(Ok(trace)) => hear(BuildNews::Trace(&trace)),
                Some(Err(reason)) => garbled = garbled.take().or(Some(reason)),
                None => {}
            }
            if let Some(built) = object["aux"]["ID"].as_str() {
                id = Some(built.to_owned());
            }
        })
        .await?;
        if let Some(reason) = garbled {
            return Err(Fault::Garbled { socket: self.socket.clone(), asked: ASKED, reason });
        }
        id.ok_or_else(|| Fault::broke_off(&self.socket, ASKED, "it names no image"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_a_build_is_given_stands_in_its_address() {
        let arguments = BTreeMap::from([("A".to_owned(), "b c&d".to_owned())]);
        let build =
            Build { dockerfile: "deploy/Dockerfile".into(), arguments, pulls: true, ..Build::default() };
        let path = build.path();
        assert!(
            path.starts_with(
                "/build?dockerfile=deploy/Dockerfile&buildargs=%7B%22A%22:%22b%20c%26d%22%7D&labels=%7B%7D"
            ),
            "{path}"
        );
        assert!(path.ends_with("&rm=1&forcerm=1&version=1&pull=1"), "{path}");
    }
}
