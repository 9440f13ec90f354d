//! BuildKit's progress messages about a build. The engine passes them on unchanged, as protobuf in base64. Their
//! fields, with their numbers, are those of `StatusResponse` in BuildKit's `control.proto`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use serde_json::Value;

/// The id of the objects of an answer that contain such a message.
const ID: &str = "moby.buildkit.trace";

/// The changes of a build since the last message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    /// The steps in their present state.
    pub vertices: Vec<Vertex>,
    /// The output of steps.
    pub outputs: Vec<VertexOutput>,
}

/// A step of a build. Steps that do not need each other are carried out at the same time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vertex {
    /// The digest that identifies the step.
    pub digest: String,
    /// The name for people: `[build 2/4] RUN make`.
    pub name: String,
    /// The progress.
    pub state: VertexState,
}

/// The progress of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VertexState {
    /// It waits for others.
    Waiting,
    /// It is under way.
    Running,
    /// Its result existed already.
    Cached,
    /// It has ended, after this long.
    Done(Duration),
    /// It has failed; the text is the reason.
    Failed(String),
}

/// A piece of the output of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VertexOutput {
    /// The digest of the step.
    pub vertex: String,
    /// 1: its standard output, 2: its standard error.
    pub stream: i64,
    /// The bytes, which may end in the middle of a line.
    pub bytes: Vec<u8>,
}

impl Trace {
    /// The message in an object of an answer; `None` if it contains no such message.
    ///
    /// # Errors
    /// The object says that it contains a message, and does not; the text is what is wrong.
    pub(crate) fn of(object: &Value) -> Option<Result<Self, String>> {
        if object["id"].as_str() != Some(ID) {
            return None;
        }
        let text = object["aux"].as_str().unwrap_or_default();
        let bytes = STANDARD.decode(text).map_err(|error| error.to_string());
        Some(bytes.and_then(|bytes| Self::decoded(&bytes)))
    }

    fn decoded(bytes: &[u8]) -> Result<Self, String> {
        let message = wire::StatusResponse::decode(bytes).map_err(|error| error.to_string())?;
        let vertices = message.vertexes.into_iter().map(Vertex::from).collect();
        let outputs = message.logs.into_iter().map(|log| VertexOutput {
            vertex: log.vertex,
            stream: log.stream,
            bytes: log.msg,
        });
        Ok(Self { vertices, outputs: outputs.collect() })
    }
}

impl From<wire::Vertex> for Vertex {
    fn from(vertex: wire::Vertex) -> Self {
        let state = match (vertex.started, vertex.completed) {
            _ if !vertex.error.is_empty() => VertexState::Failed(vertex.error),
            (_, Some(_)) if vertex.cached => VertexState::Cached,
            (started, Some(completed)) => {
                let since = started.as_ref().map_or(Duration::ZERO, wire::Timestamp::since_1970);
                VertexState::Done(completed.since_1970().saturating_sub(since))
            }
            (Some(_), None) => VertexState::Running,
            (None, None) => VertexState::Waiting,
        };
        Self { digest: vertex.digest, name: vertex.name, state }
    }
}

/// The messages as they are sent; fields that are not needed here are left out.
mod wire {
    use std::time::Duration;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct StatusResponse {
        #[prost(message, repeated, tag = "1")]
        pub(super) vertexes: Vec<Vertex>,
        #[prost(message, repeated, tag = "3")]
        pub(super) logs: Vec<VertexLog>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Vertex {
        #[prost(string, tag = "1")]
        pub(super) digest: String,
        #[prost(string, tag = "3")]
        pub(super) name: String,
        #[prost(bool, tag = "4")]
        pub(super) cached: bool,
        #[prost(message, optional, tag = "5")]
        pub(super) started: Option<Timestamp>,
        #[prost(message, optional, tag = "6")]
        pub(super) completed: Option<Timestamp>,
        #[prost(string, tag = "7")]
        pub(super) error: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct VertexLog {
        #[prost(string, tag = "1")]
        pub(super) vertex: String,
        #[prost(int64, tag = "3")]
        pub(super) stream: i64,
        #[prost(bytes = "vec", tag = "4")]
        pub(super) msg: Vec<u8>,
    }

    #[derive(Clone, PartialEq, Eq, prost::Message)]
    pub(super) struct Timestamp {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }

    impl Timestamp {
        pub(super) fn since_1970(&self) -> Duration {
            let seconds = Duration::from_secs(self.seconds.try_into().unwrap_or_default());
            seconds.saturating_add(Duration::from_nanos(self.nanos.try_into().unwrap_or_default()))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn steps_are_read_from_what_an_engine_sends() {
        let sent = |aux: &str| Trace::of(&json!({"id": ID, "aux": aux})).expect("a message of BuildKit's");
        // This message was sent by Engine 20.10, which had just begun to read the archive.
        let whole = "Cn0KR3NoYTI1Njo2MGQwYzUwN2VlN2RiYmZhY2UwMTNlNTQ2MWM5YmQ0YTAyMWRhZTllZmI4MTAyN2Y0MmExNDY5OWMzNThjYTdlGiRbaW50ZXJuYWxdIGxvYWQgcmVtb3RlIGJ1aWxkIGNvbnRleHQqDAi9gKTYBhCe2si2Aw==";
        let [step] = &sent(whole).expect("whole").vertices[..] else { panic!("one step") };
        assert_eq!(step.name, "[internal] load remote build context");
        assert_eq!(step.state, VertexState::Running);
        assert!(step.digest.starts_with("sha256:60d0c507"), "{}", step.digest);
        assert!(sent(&whole[..100]).is_err(), "it breaks off");
        assert!(sent("not base64!").is_err());
        assert_eq!(Trace::of(&json!({"stream": "Step 1/2"})), None);
    }

    #[test]
    fn a_step_waits_runs_and_ends_in_one_of_three_ways() {
        let at = |seconds: u8| Some(wire::Timestamp::decode(&[8, seconds][..]).expect("a time"));
        let vertex = |started, completed, cached, error: &str| {
            let error = error.to_owned();
            let wire =
                wire::Vertex { digest: "a".into(), name: "b".into(), cached, started, completed, error };
            let sent = wire::StatusResponse { vertexes: vec![wire], logs: vec![] }.encode_to_vec();
            Trace::decoded(&sent).expect("it was just written").vertices.remove(0).state
        };
        assert_eq!(vertex(None, None, false, ""), VertexState::Waiting);
        assert_eq!(vertex(at(3), None, false, ""), VertexState::Running);
        assert_eq!(vertex(at(3), at(5), false, ""), VertexState::Done(Duration::from_secs(2)));
        assert_eq!(vertex(at(3), at(5), true, ""), VertexState::Cached);
        assert_eq!(vertex(at(3), at(5), false, "code 3"), VertexState::Failed("code 3".into()));
    }
}
