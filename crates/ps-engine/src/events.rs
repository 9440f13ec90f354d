//! The engine's events about containers, on one connection that stays open.

use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use crate::deadline::SHORT;
use crate::{Engine, Fault};

const TELL: &str = "tell what happens to containers";

/// Something that happened to a container.
#[derive(Clone, Debug)]
pub struct Happened {
    /// The id of the container.
    pub id: String,
    attributes: HashMap<String, String>,
}

impl Happened {
    /// The value of one of the container's labels.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.attributes.get(name).map(String::as_str)
    }
}

impl Engine {
    /// The engine's events of these kinds (`start`, `die`, `rename`) about containers that have all of these labels, from the time `since`
    /// on. The stream ends only with a fault.
    pub fn happened(
        &self,
        labels: &[String],
        kinds: &[&str],
        since: SystemTime,
    ) -> impl Stream<Item = Result<Happened, Fault>> + use<> {
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("event", kinds.iter().map(|kind| (*kind).to_owned()).collect()),
            ("label", labels.to_vec()),
        ]);
        let since = since.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string();
        let options = EventsOptionsBuilder::new().since(&since).filters(&filters).build();
        let events = self.docker.clone().with_timeout(SHORT).events(Some(options));
        let socket = self.socket().to_owned();
        let broke_off = Fault::broke_off(&socket, TELL, "it sends no more events");
        let happened = events.filter_map(move |event| {
            let happened = event.map(|event| {
                let actor = event.actor?;
                Some(Happened { id: actor.id?, attributes: actor.attributes.unwrap_or_default() })
            });
            std::future::ready(happened.map_err(|error| Fault::of(&socket, TELL, error)).transpose())
        });
        happened.chain(stream::once(std::future::ready(Err(broke_off))))
    }

    /// The id of each container with all of these labels that is started at that time or later, for as long as the
    /// stream is read.
    pub fn starts(
        &self,
        labels: &[String],
        since: SystemTime,
    ) -> impl Stream<Item = Result<String, Fault>> + use<> {
        self.happened(labels, &["start"], since).map_ok(|happened| happened.id)
    }
}
