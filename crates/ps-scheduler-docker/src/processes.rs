//! The operating system's processes in an app's containers, as the engine lists them.

use formation::{AppName, Slot, Which};
use futures_util::{StreamExt, stream};
use ps_scheduler::{Error, OsProcess};
use serde_json::Value;

use crate::app::{self, AT_ONCE};
use crate::docker_local::DockerLocal;
use crate::failed::failed;

/// The columns of `ps` for the engine. It needs the pid to find the container's processes, and the command has to be the
/// last column.
const COLUMNS: &str = "pid,user,pcpu,rss,etime,args";

impl DockerLocal {
    /// Every process in the containers that run, in the order of the slots; an app that was never deployed is an error.
    pub fn processes(&self, app: &AppName) -> Result<Vec<OsProcess>, Error> {
        let records = app::records(self.world(), app)?;
        app::chosen(&records, app, &Which::All)?;
        let engine = self.engine()?;
        let recorded = records.slots.iter().filter_map(|(slot, record)| Some((slot, record.id.as_deref()?)));
        let questions = recorded.map(|(slot, id)| async move { (slot, engine.top(id, COLUMNS).await) });
        let answers: Vec<_> = engine.run(stream::iter(questions).buffered(AT_ONCE).collect());
        let mut processes = Vec::new();
        for (slot, answer) in answers {
            match answer {
                Ok(listed) => processes.extend(rows(&listed).filter_map(|row| process(slot, row))),
                // A container that does not run, or is gone, has none.
                Err(fault) if fault.is_gone() || fault.is_conflict() => (),
                Err(fault) => {
                    return Err(failed(fault, format!("list the processes of {slot} of {app}")));
                }
            }
        }
        Ok(processes)
    }
}

fn rows(listed: &Value) -> impl Iterator<Item = &Vec<Value>> {
    listed["Processes"].as_array().into_iter().flatten().filter_map(Value::as_array)
}

fn process(slot: &Slot, row: &[Value]) -> Option<OsProcess> {
    let word = |at: usize| row.get(at).and_then(Value::as_str);
    Some(OsProcess {
        slot: slot.clone(),
        pid: word(0)?.parse().ok()?,
        user: word(1)?.to_owned(),
        cpu_percent: word(2)?.parse().ok()?,
        memory_bytes: word(3)?.parse::<u64>().ok()?.saturating_mul(1024),
        elapsed: word(4)?.to_owned(),
        command: word(5)?.to_owned(),
    })
}
