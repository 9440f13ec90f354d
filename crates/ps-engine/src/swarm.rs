//! The engine's API of a swarm, as its managers answer it. Requests and answers are JSON documents. An update replaces a whole specification, so
//! fields that types of this project lack must not be lost. Therefore a caller reads the document, changes some fields, and sends it back.
//!
//! Filters are pairs in the engine's terms: `("label", "com.example.app=shop")`. Several pairs of one name are
//! alternatives, except for labels, all of which must match.

mod call;
mod fault;
mod logs;
mod objects;
mod patience;

use serde_json::Value;

use crate::Engine;
use crate::swarm::call::{Call, query};

pub use fault::SwarmFault;
pub(crate) use patience::Patience;

const LIST_SERVICES: &str = "list services";
const LIST_TASKS: &str = "list tasks";

impl Engine {
    /// The state of this engine in its swarm, as `Swarm` of `/info`: `LocalNodeState`, `NodeID`, `ControlAvailable`, and in `Error` the reason
    /// why it does not take part. A worker answers this too, and so does a manager whose swarm has lost its quorum.
    ///
    /// # Errors
    /// See [`SwarmFault`].
    pub async fn swarm_info(&self) -> Result<Value, SwarmFault> {
        let mut info = self.swarm_call(Call::get("describe the engine", "/info".to_owned())).await?;
        Ok(info["Swarm"].take())
    }

    /// The description of the swarm: its id, its specification and its join tokens, which are secrets.
    ///
    /// # Errors
    /// See [`SwarmFault`].
    pub async fn swarm(&self) -> Result<Value, SwarmFault> {
        self.swarm_call(Call::get("describe the swarm", "/swarm".to_owned())).await
    }

    /// The nodes of the swarm, an array.
    ///
    /// # Errors
    /// See [`SwarmFault`].
    pub async fn nodes(&self) -> Result<Value, SwarmFault> {
        self.swarm_call(Call::get("list the nodes of the swarm", "/nodes".to_owned())).await
    }

    /// The services that match a filter, an array. With `status`, each has `ServiceStatus`: `RunningTasks`, `DesiredTasks` and `CompletedTasks`.
    ///
    /// # Errors
    /// See [`SwarmFault`].
    pub async fn swarm_services(&self, filter: &[(&str, &str)], status: bool) -> Result<Value, SwarmFault> {
        self.swarm_call(Call::get(LIST_SERVICES, services(filter, status))).await
    }

    /// As [`Engine::swarm_services`]: the results of `read` for each service. All documents of a large swarm together take many times the memory
    /// of their text; this function keeps one at a time.
    ///
    /// # Errors
    /// See [`SwarmFault`].
    pub async fn each_service<R>(
        &self,
        filter: &[(&str, &str)],
        status: bool,
        read: impl FnMut(&Value) -> R,
    ) -> Result<Vec<R>, SwarmFault> {
        self.swarm_list(LIST_SERVICES, &services(filter, status), read).await
    }

    /// A service, by its name or its id.
    ///
    /// # Errors
    /// See [`SwarmFault`]; [`SwarmFault::is_gone`] if there is no such service.
    pub async fn service(&self, name: &str) -> Result<Value, SwarmFault> {
        self.swarm_call(Call::get("describe a service", named("services", name, &[]))).await
    }

    /// Makes a service of this specification; the answer has its `ID`. `auth`: the header with which its nodes ask the registry of the image; the
    /// swarm keeps it with the service, and shows it to nobody.
    ///
    /// # Errors
    /// See [`SwarmFault`]; [`SwarmFault::is_conflict`] if the name is taken.
    pub async fn create_service(&self, spec: &Value, auth: Option<&str>) -> Result<Value, SwarmFault> {
        self.swarm_call(Call::post_as("create a service", "/services/create".to_owned(), spec, auth)).await
    }

    /// Replaces the specification of a service. `version` is `Version.Index` of the description that the change was made from. `auth` is as in
    /// [`Engine::create_service`]; without it, that of the service stays.
    ///
    /// # Errors
    /// See [`SwarmFault`]; [`SwarmFault::OutOfSequence`] if somebody else has changed the service since.
    pub async fn update_service(
        &self,
        id: &str,
        version: u64,
        spec: &Value,
        auth: Option<&str>,
    ) -> Result<Value, SwarmFault> {
        let path = format!("{}/update?version={version}", named("services", id, &[]));
        self.swarm_call(Call::post_as("update a service", path, spec, auth)).await
    }

    /// Removes a service, by its name or its id, and all of its tasks. A missing service is no error.
    ///
    /// # Errors
    /// See [`SwarmFault`].
    pub async fn remove_service(&self, id: &str) -> Result<(), SwarmFault> {
        self.swarm_removal("remove a service", named("services", id, &[])).await
    }

    /// The tasks that match a filter, an array: `("service", name)`, `("desired-state", "running")`, `("node", id)`. The filter `label` is about
    /// the labels of their services.
    ///
    /// # Errors
    /// See [`SwarmFault`]; [`SwarmFault::is_gone`] if the filter names a service that does not exist.
    pub async fn swarm_tasks(&self, filter: &[(&str, &str)]) -> Result<Value, SwarmFault> {
        self.swarm_call(Call::get(LIST_TASKS, tasks(filter))).await
    }

    /// As [`Engine::swarm_tasks`]: the results of `read` for each task, one document at a time.
    ///
    /// # Errors
    /// See [`Engine::swarm_tasks`].
    pub async fn each_task<R>(
        &self,
        filter: &[(&str, &str)],
        read: impl FnMut(&Value) -> R,
    ) -> Result<Vec<R>, SwarmFault> {
        self.swarm_list(LIST_TASKS, &tasks(filter), read).await
    }
}

fn services(filter: &[(&str, &str)], status: bool) -> String {
    let status = if status { [("status", "true")].as_slice() } else { &[] };
    format!("/services{}", query(filter, status))
}

fn tasks(filter: &[(&str, &str)]) -> String {
    format!("/tasks{}", query(filter, &[]))
}

/// The path of one object of a kind, with parameters.
fn named(kind: &str, name: &str, beside: &[(&str, &str)]) -> String {
    format!("/{kind}/{}{}", call::segment(name), query(&[], beside))
}
