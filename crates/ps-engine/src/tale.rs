//! Long calls about whose progress the engine sends JSON objects: pulls and builds. The answer is read object by
//! object, so a deadline counts from the last object.

use std::path::Path;
use std::time::{Duration, Instant};

use bollard::BollardRequest;
use bollard::errors::Error as BollardError;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::Value;

use crate::activity::Activity;
use crate::{Fault, transport};

/// No object of the engine's is longer than this, in bytes.
const MAX_OBJECT: usize = 4 << 20;

/// How long a long call may stay silent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Until the engine begins to answer, counted from the last piece of the request that it has taken.
    pub(crate) first: Duration,
    /// From one piece of the answer to the next.
    pub(crate) next: Duration,
}

/// A call whose progress the engine reports.
pub(crate) struct Tale<'a> {
    /// The engine's socket.
    pub(crate) socket: &'a Path,
    /// What the engine was asked to do.
    pub(crate) asked: &'static str,
    /// How long the engine may stay silent.
    pub(crate) patience: Patience,
    /// The part of the request that the engine has taken.
    pub(crate) activity: Activity,
}

impl Tale<'_> {
    /// Sends the request and passes each object to `hear`. An error that the engine reports ends the call.
    pub(crate) async fn listen(
        &self,
        request: BollardRequest,
        mut hear: impl FnMut(&Value),
    ) -> Result<(), Fault> {
        let fault = |error| Fault::of(self.socket, self.asked, error);
        let sent = transport::send(self.socket.to_owned(), request);
        let response = self.answer(sent).await?.map_err(fault)?;
        let status = response.status();
        let mut body = response.into_body();
        if !status.is_success() {
            let message = self.refusal(&mut body).await?;
            let error = BollardError::DockerResponseServerError { status_code: status.as_u16(), message };
            return Err(fault(error));
        }
        let mut pending = Vec::new();
        while let Some(piece) = self.piece(&mut body).await? {
            pending.extend_from_slice(&piece);
            for object in self.whole_objects(&mut pending)? {
                if let Some(message) = trouble(&object) {
                    return Err(fault(BollardError::DockerResponseServerError { status_code: 500, message }));
                }
                hear(&object);
            }
        }
        if pending.iter().all(u8::is_ascii_whitespace) {
            return Ok(());
        }
        Err(Fault::broke_off(self.socket, self.asked, "in the middle of a line"))
    }

    /// Waits until the engine begins to answer.
    async fn answer<T>(&self, sent: impl Future<Output = T>) -> Result<T, Fault> {
        let (began, first) = (Instant::now(), self.patience.first);
        let mut sent = std::pin::pin!(sent);
        loop {
            let waited = self.activity.last().unwrap_or(began).elapsed();
            let Some(left) = first.checked_sub(waited) else {
                return Err(Fault::late(self.socket, self.asked, first));
            };
            if let Ok(answer) = tokio::time::timeout(left, sent.as_mut()).await {
                return Ok(answer);
            }
        }
    }

    /// Takes the complete objects; the bytes after them stay.
    fn whole_objects(&self, pending: &mut Vec<u8>) -> Result<Vec<Value>, Fault> {
        let garbled =
            |reason: String| Fault::Garbled { socket: self.socket.to_owned(), asked: self.asked, reason };
        let mut objects = Vec::new();
        let mut stream = serde_json::Deserializer::from_slice(pending).into_iter::<Value>();
        let mut read = 0;
        while let Some(next) = stream.next() {
            match next {
                Ok(object) => objects.push(object),
                Err(error) if error.is_eof() => break,
                Err(error) => return Err(garbled(error.to_string())),
            }
            read = stream.byte_offset();
        }
        pending.drain(..read);
        if pending.len() > MAX_OBJECT {
            return Err(garbled("a line of it has no end".to_owned()));
        }
        Ok(objects)
    }

    /// The reason in an answer that refuses the request.
    async fn refusal(&self, body: &mut Incoming) -> Result<String, Fault> {
        let mut bytes = Vec::new();
        while let Some(piece) = self.piece(body).await?
            && bytes.len() < MAX_OBJECT
        {
            bytes.extend_from_slice(&piece);
        }
        let said: Option<Value> = serde_json::from_slice(&bytes).ok();
        let message = said.as_ref().and_then(|said| said["message"].as_str()).map(str::to_owned);
        Ok(message.unwrap_or_else(|| String::from_utf8_lossy(&bytes).trim().to_owned()))
    }

    async fn piece(&self, body: &mut Incoming) -> Result<Option<hyper::body::Bytes>, Fault> {
        loop {
            let Some(frame) = self.in_time(self.patience.next, body.frame()).await? else { return Ok(None) };
            let frame = frame.map_err(|error| {
                Fault::of(self.socket, self.asked, BollardError::HyperResponseError { err: error })
            })?;
            // A frame without data ends the body.
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
    }

    async fn in_time<T>(&self, deadline: Duration, future: impl Future<Output = T>) -> Result<T, Fault> {
        let waited = tokio::time::timeout(deadline, future).await;
        waited.map_err(|_| Fault::late(self.socket, self.asked, deadline))
    }
}

/// The error that an object reports.
fn trouble(object: &Value) -> Option<String> {
    let detail = object["errorDetail"]["message"].as_str().or_else(|| object["error"].as_str())?;
    Some(detail.to_owned())
}

const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];

/// A value that is encoded for an address of [`hyper::Uri`].
pub(crate) fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~/:@".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.extend(['%', HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]]);
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_told_apart_wherever_the_pieces_end() {
        let patience = Patience { first: Duration::ZERO, next: Duration::ZERO };
        let tale = Tale { socket: Path::new("/s"), asked: "pull", patience, activity: Activity::default() };
        let mut pending = b"{\"a\":1}\r\n{\"b\":".to_vec();
        assert_eq!(tale.whole_objects(&mut pending).expect("JSON"), [json!({"a": 1})]);
        pending.extend_from_slice(b"2}{\"c\":3}\n");
        assert_eq!(tale.whole_objects(&mut pending).expect("JSON"), [json!({"b": 2}), json!({"c": 3})]);
        assert!(tale.whole_objects(&mut b"<html>".to_vec()).is_err());
        assert_eq!(trouble(&json!({"errorDetail": {"message": "no"}, "error": "x"})).as_deref(), Some("no"));
        assert_eq!(encoded("a b&c=d/é"), "a%20b%26c%3Dd/%C3%A9");
    }
}
