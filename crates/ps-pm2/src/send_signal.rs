//! `sendSignal`: sends a signal to the main process of running instances. An instance that does not run gets none.

use anyhow::{Result, bail};
use formation::{SignalName, Which};
use ps_cli::exit::Outcome;
use ps_scheduler::{Scheduler, SignalOrder, Signalled};

use crate::book::Book;
use crate::fleet;
use crate::say::{self, Usage};
use crate::session::Session;
use crate::sharing;
use crate::table;
use crate::target::{self, Target};

/// Sends it.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let [signal, words @ ..] = target::words(session, "signal")? else { return Ok(Outcome::No) };
    if words.is_empty() {
        return Err(Usage("missing required argument `pm2_id|name'".to_owned()).into());
    }
    if signal.bytes().all(|byte| byte.is_ascii_digit()) {
        bail!("{signal}: name the signal, such as SIGUSR2");
    }
    let name: SignalName = signal.parse()?;
    say::plain("Processing......")?;
    for word in words {
        let book = Book::read(&session.home)?;
        let target = target::parse(session, &book, word)?;
        let what = if matches!(target, Target::Id(..)) { "id" } else { "name" };
        say::fact(format_args!("Sending signal to process {what} {word}"))?;
        let ids = target::found(&book, &target)?;
        for (app, instances) in fleet::by_app(&book, &ids) {
            for instance in instances {
                let order = SignalOrder {
                    app: app.app_name()?,
                    which: Which::Slot(instance.slot()),
                    signal: name,
                    main_alone: true,
                    if_handled: false,
                };
                if app.sharing.is_some() {
                    sharing::signal(&session.home, app, instance, name)?;
                    continue;
                }
                for (_, came) in session.home.native().signal(&order)? {
                    tell(&app.name, instance.id, &came)?;
                }
            }
        }
        say::fact(format_args!("Succesfully sent signal {signal} to process {what} {word}"))?;
    }
    table::print_all(session)?;
    Ok(Outcome::Done)
}

fn tell(name: &str, id: u64, came: &Signalled) -> Result<()> {
    match came {
        Signalled::Sent { .. } => Ok(()),
        Signalled::NotRunning(_) => bail!("{name} ({id}) does not run, so nothing was sent"),
        Signalled::Refused { reason } => bail!("{name} ({id}): {reason}"),
    }
}
