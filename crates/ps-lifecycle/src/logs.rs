//! `logs`: the output of the processes, each line with the name of its instance.

use std::io::{self, IsTerminal, Write};
use std::ops::ControlFlow;
use std::time::SystemTime;

use anyhow::Result;
use formation::{AppName, Which};
use ps_cli::exit::{self, Outcome};
use ps_cli::say;
use ps_output::{Choice, Look, Manner, Show};
use ps_scheduler::{LogLine, LogRequest, Scheduler};

use crate::args::{LogsArgs, Past};
use crate::session::Session;
use crate::stop;

pub(crate) fn run(session: &Session, args: &LogsArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    let which = args.which.clone().unwrap_or(Which::All);
    stop::refuse_unknown(session, &app, &which)?;
    let request = request(&app.name, which, args)?;
    if args.past.follow {
        exit::end_with_reader();
    }
    let look = Look { has_prefix: true, is_for_terminal: io::stdout().is_terminal(), ..Look::default() };
    let manner = if args.past.json { Manner::Json } else { Manner::text(look) };
    let (mut out, mut noted) = (io::BufWriter::new(io::stdout().lock()), |_: &_, _: &_| Ok(()));
    let mut show = Show::new(&mut out, manner, Choice::default(), &mut noted);
    ps_output::gather(&session.world, vec![request], &mut show);
    if let Some((_, error)) = show.failed.pop() {
        return Err(error.into());
    }
    show.failure.map_or(Ok(()), Err)?;
    if args.past.is_endless() {
        say::warning(&format!("{} was destroyed: no more lines will come", app.name));
    }
    Ok(Outcome::Done)
}

fn request(app: &AppName, which: Which, args: &LogsArgs) -> Result<LogRequest> {
    let Past { since, until, last } = args.past.seen_from(SystemTime::now())?;
    Ok(LogRequest { since, until, follow: args.past.follow, ..LogRequest::last(app.clone(), which, last) })
}

/// Prints a scheduler's lines on stdout. While logs are followed, each line is flushed at once.
pub(crate) fn write_out(
    scheduler: &dyn Scheduler,
    request: &LogRequest,
    mut print: impl FnMut(&mut dyn Write, &LogLine) -> io::Result<()>,
) -> Result<()> {
    if request.follow {
        exit::end_with_reader();
    }
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut failure = None;
    scheduler.logs(request, &mut |line: &LogLine| {
        let printed = print(&mut out, line);
        match printed.and_then(|()| if request.follow { out.flush() } else { Ok(()) }) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        }
    })?;
    failure.map_or(Ok(()), Err)?;
    Ok(out.flush()?)
}
