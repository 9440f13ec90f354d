//! `logs`: the output of an app's tasks, one stream for each task. The swarm's own stream of a service is out of order,
//! and fails as a whole if one node is gone. Here a node that does not answer is named, and the others are read
//! nevertheless.

mod followed;
mod reader;

use std::time::SystemTime;

use ps_scheduler::{Cancel, Error, LogRequest, LogSink};

use crate::manager::Manager;
use crate::swarm::Swarm;

use reader::Reader;

/// Passes the lines of the tasks that an app has now to `sink` until there are no more, or `sink` breaks.
pub(crate) fn logs(swarm: &Swarm, request: &LogRequest, sink: &mut dyn LogSink) -> Result<(), Error> {
    if request.is_previous {
        let what = "show what earlier runs wrote, because its nodes remove the log of a container with it";
        return Err(Error::Unsupported { scheduler: "swarm".to_owned(), what });
    }
    let app = &request.app;
    let not_deployed = || Error::NotDeployed { app: app.clone() };
    let world = swarm.known_id()?.ok_or_else(not_deployed)?;
    let engine = swarm.engine()?;
    let cancel = Cancel::default();
    let manager = Manager::new(engine, &world, app, &cancel);
    engine.run(async {
        let mut reader = Reader::new(engine, request);
        let (seen, nodes) = (manager.look().await?, manager.nodes().await?);
        if seen.services.is_empty() {
            return if request.follow { Ok(()) } else { Err(not_deployed()) };
        }
        let is_over = reader.round(&reader.current(&seen), &nodes, sink).await?.is_break();
        if !is_over && request.follows(SystemTime::now()) {
            followed::follow(&manager, &mut reader, sink).await?;
        }
        reader.concluded()
    })
}
