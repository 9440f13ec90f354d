//! `inspect`: the engine's own description of every recorded container, unchanged.

use formation::{AppName, Which};
use futures_util::{StreamExt, stream};
use ps_engine::Fault;
use ps_scheduler::Error;
use serde_json::Value;

use crate::app::{self, AT_ONCE};
use crate::docker_local::DockerLocal;
use crate::failed::failed;

/// An array with a description for each instance in the order of the slots; missing containers are left out.
pub(crate) fn inspect(docker: &DockerLocal, app: &AppName) -> Result<Value, Error> {
    let records = app::records(docker.world(), app)?;
    app::chosen(&records, app, &Which::All)?;
    let engine = docker.engine()?;
    let ids = records.slots.values().filter_map(|record| record.id.as_deref());
    let answers: Vec<Result<Value, Fault>> =
        engine.run(stream::iter(ids.map(|id| engine.inspect(id))).buffered(AT_ONCE).collect());
    let mut descriptions = Vec::new();
    for answer in answers {
        match answer {
            Ok(description) => descriptions.push(description),
            Err(fault) if fault.is_gone() => (),
            Err(fault) => return Err(failed(fault, format!("inspect {app}"))),
        }
    }
    Ok(Value::Array(descriptions))
}
