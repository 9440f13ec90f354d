//! The log of one task. The engine requests it from the task's node, and never answers if that node does not.

use bollard::container::LogOutput;
use futures_util::{Stream, StreamExt, TryStreamExt};

use crate::deadline::SHORT;
use crate::{Engine, Fault, Moment, OutputRange, flow, moment};

const READ: &str = "read the log of a task";

impl Engine {
    /// The output of a task, by its id, each piece with the time at which its node received it. `after`: only output that came later.
    ///
    /// With `follow`, future output comes as well, and the stream has no end: an engine reports neither that a task has ended nor that its
    /// node does not answer, so the caller stops reading when it knows either. Without `follow`, the last piece is an error if the engine or
    /// the node sends the output too slowly, or has sent nothing for ten seconds.
    pub fn task_logs(
        &self,
        id: &str,
        wanted: &OutputRange,
        follow: bool,
        after: Option<Moment>,
    ) -> impl Stream<Item = Result<(Option<Moment>, LogOutput), Fault>> + use<> {
        let until = wanted.until;
        let options = moment::after_second(wanted.options().timestamps(true).follow(follow), after.as_ref());
        let socket = self.socket().to_owned();
        let pieces = self.docker.clone().with_timeout(SHORT);
        let pieces = pieces.task_logs(id, Some(options.stdout(true).stderr(true).build()));
        let pieces = pieces.map_err(move |error| Fault::of(&socket, READ, error));
        let socket = self.socket().to_owned();
        let late = move || Fault::late(&socket, READ, SHORT);
        let pieces = if follow {
            pieces.left_stream()
        } else {
            flow::while_they_come(pieces, SHORT, |piece| piece.as_ref().len(), late).right_stream()
        };
        // This call of the engine has no parameter for the end of a range.
        moment::later_than(pieces, after).try_filter(move |(moment, _)| {
            let time = moment.as_ref().and_then(Moment::time);
            std::future::ready(until.is_none() || time.is_none() || time <= until)
        })
    }
}
