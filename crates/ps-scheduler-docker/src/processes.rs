//! The operating system's processes in an app's containers, as the engine lists them.

use formation::{AppName, Which};
use futures_util::{StreamExt, stream};
use ps_scheduler::{Error, OsProcess};

use crate::app::{self, AT_ONCE};
use crate::docker_local::DockerLocal;
use crate::failed::failed;

impl DockerLocal {
    /// Every process in the running containers, in the order of the slots. An app that was never deployed is an error.
    pub fn processes(&self, app: &AppName) -> Result<Vec<OsProcess>, Error> {
        let records = app::records(self.world(), app)?;
        app::chosen(&records, app, &Which::All)?;
        let engine = self.engine()?;
        let recorded = records.slots.iter().filter_map(|(slot, record)| Some((slot, record.id.as_deref()?)));
        let questions =
            recorded.map(|(slot, id)| async move { (slot, engine.top(id, OsProcess::COLUMNS).await) });
        let answers: Vec<_> = engine.run(stream::iter(questions).buffered(AT_ONCE).collect());
        let mut processes = Vec::new();
        for (slot, answer) in answers {
            match answer {
                Ok(rows) => processes.extend(rows.iter().filter_map(|row| OsProcess::of_ps(slot, row))),
                // A container that does not run, or is gone, has no processes.
                Err(fault) if fault.is_gone() || fault.is_conflict() => (),
                Err(fault) => {
                    return Err(failed(fault, format!("list the processes of {slot} of {app}")));
                }
            }
        }
        Ok(processes)
    }
}
