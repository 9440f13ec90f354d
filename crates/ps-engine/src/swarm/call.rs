//! One request to a manager, with its deadline.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use bollard::errors::Error as BollardError;
use serde_json::Value;

use crate::tale::encoded;
use crate::{Engine, Fault, SwarmFault, transport};

/// A request.
pub(crate) struct Call<'a> {
    asked: &'static str,
    path: String,
    act: Act<'a>,
}

enum Act<'a> {
    Get,
    Post(&'a Value, Option<&'a str>),
    Delete,
}

impl<'a> Call<'a> {
    pub(crate) fn get(asked: &'static str, path: String) -> Self {
        Self { asked, path, act: Act::Get }
    }

    pub(crate) fn post(asked: &'static str, path: String, body: &'a Value) -> Self {
        Self::post_as(asked, path, body, None)
    }

    /// A request with a body, and with the registry credentials for the nodes.
    pub(crate) fn post_as(asked: &'static str, path: String, body: &'a Value, auth: Option<&'a str>) -> Self {
        Self { asked, path, act: Act::Post(body, auth) }
    }

    pub(crate) fn delete(asked: &'static str, path: String) -> Self {
        Self { asked, path, act: Act::Delete }
    }

    fn is_write(&self) -> bool {
        match self.act {
            Act::Get => false,
            Act::Post(..) | Act::Delete => true,
        }
    }
}

impl Engine {
    /// Sends a request. Returns its answer within the deadline.
    pub(crate) async fn swarm_call(&self, call: Call<'_>) -> Result<Value, SwarmFault> {
        self.in_time(call.asked, call.is_write(), async {
            match call.act {
                Act::Get => transport::get(&self.socket, &call.path).await,
                Act::Post(body, auth) => transport::post_as(&self.socket, &call.path, Some(body), auth).await,
                Act::Delete => transport::delete(&self.socket, &call.path).await,
            }
        })
        .await
    }

    /// The results of `read` for each element of the list at `path`.
    pub(crate) async fn swarm_list<R>(
        &self,
        asked: &'static str,
        path: &str,
        read: impl FnMut(&Value) -> R,
    ) -> Result<Vec<R>, SwarmFault> {
        self.in_time(asked, false, transport::get_each(&self.socket, path, read)).await
    }

    async fn in_time<T>(
        &self,
        asked: &'static str,
        is_write: bool,
        answer: impl Future<Output = Result<T, BollardError>>,
    ) -> Result<T, SwarmFault> {
        let deadline = self.patience.limit();
        let answer = tokio::time::timeout(deadline, answer).await;
        self.patience.was_late(answer.is_err());
        let fault = match answer {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => Fault::of(&self.socket, asked, error),
            Err(_) => late(&self.socket, asked, deadline),
        };
        Err(SwarmFault::of(fault, is_write))
    }

    /// Removes an object; a missing one is no error.
    pub(crate) async fn swarm_removal(&self, asked: &'static str, path: String) -> Result<(), SwarmFault> {
        match self.swarm_call(Call::delete(asked, path)).await {
            Err(fault) if fault.is_gone() => Ok(()),
            answer => answer.map(drop),
        }
    }
}

/// The fault of a manager that did not answer in time.
fn late(socket: &Path, asked: &'static str, deadline: Duration) -> Fault {
    let reason = format!(
        "no answer within {} s, as while the managers of a swarm choose a leader: try again in half a minute; if that fails, see \
         `docker node ls` on another manager",
        deadline.as_secs()
    );
    Fault::Silent { socket: socket.to_owned(), asked: Some(asked), reason }
}

/// The query of an address from a filter and other parameters; empty if there are none.
pub(crate) fn query(filter: &[(&str, &str)], beside: &[(&str, &str)]) -> String {
    let mut words: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in filter {
        words.entry(name).or_default().push(value);
    }
    let filter = (!words.is_empty()).then(|| ("filters", serde_json::json!(words).to_string()));
    let beside = beside.iter().map(|(name, value)| (*name, (*value).to_owned()));
    let parts: Vec<String> =
        filter.into_iter().chain(beside).map(|(name, value)| format!("{name}={}", encoded(&value))).collect();
    if parts.is_empty() { String::new() } else { format!("?{}", parts.join("&")) }
}

/// A name as one segment of a path, whatever it contains.
pub(crate) fn segment(name: &str) -> String {
    encoded(name).replace('/', "%2F")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_one_name_are_one_list_and_nothing_breaks_out_of_an_address() {
        assert_eq!(query(&[], &[]), "");
        assert_eq!(query(&[], &[("status", "true")]), "?status=true");
        let filter = [("label", "a=b"), ("label", "c&d"), ("name", "é")];
        let json = r#"{"label":["a=b","c&d"],"name":["é"]}"#;
        assert_eq!(query(&filter, &[("n", "1")]), format!("?filters={}&n=1", encoded(json)));
        assert_eq!(segment("../x?y"), "..%2Fx%3Fy");
    }
}
