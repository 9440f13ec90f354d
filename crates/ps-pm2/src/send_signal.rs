//! `sendSignal`: sends a signal to the main process of running instances. An instance that does not run gets none.

use anyhow::{Result, bail};
use formation::{SignalName, Which};
use ps_cli::exit::Outcome;
use ps_scheduler::{Scheduler, SignalOrder, Signalled};

use crate::book::{App, Book, Instance};
use crate::fleet;
use crate::home::Home;
use crate::say::{self, Usage};
use crate::session::Session;
use crate::sharing::{self, Rests};
use crate::table;
use crate::target::{self, Target};

/// Sends it.
pub(crate) fn run(session: &Session) -> Result<Outcome> {
    let [signal, words @ ..] = target::words(session, "signal")? else { return Ok(Outcome::No) };
    if words.is_empty() {
        return Err(Usage("missing required argument `pm2_id|name'".to_owned()).into());
    }
    say::plain("Processing......")?;
    for word in words {
        let book = Book::read(&session.home)?;
        let target = target::parse(session, &book, word)?;
        let what = if matches!(target, Target::Id(..)) { "id" } else { "name" };
        say::fact(format_args!("Sending signal to process {what} {word}"))?;
        let name = named(signal)?;
        let ids = target::found(&book, &target)?;
        for (app, instances) in fleet::by_app(&book, &ids) {
            for instance in instances {
                let sent = send(&session.home, app, instance, name);
                // Whoever names an instance means that one, and whoever names an app means what runs of it.
                match sent {
                    Err(error) if what == "name" && error.is::<Rests>() => say::warning(error),
                    sent => sent?,
                }
            }
        }
        say::fact(format_args!("Succesfully sent signal {signal} to process {what} {word}"))?;
    }
    table::print_all(session)?;
    Ok(Outcome::Done)
}

/// The signal that is called this. As for pm2, its name begins with SIG, and is no number.
fn named(word: &str) -> Result<SignalName> {
    if !word.starts_with("SIG") {
        bail!("{word}: name the signal, such as SIGUSR2");
    }
    Ok(word.parse()?)
}

/// Sends a signal to everything that runs.
pub(crate) fn to_all(home: &Home, book: &Book, signal: &str) -> Result<()> {
    let name = named(signal)?;
    for (app, instance) in book.apps.iter().flat_map(|app| app.instances.iter().map(move |one| (app, one))) {
        match send(home, app, instance, name) {
            Err(error) if error.is::<Rests>() => (),
            sent => sent?,
        }
    }
    Ok(())
}

fn send(home: &Home, app: &App, instance: &Instance, signal: SignalName) -> Result<()> {
    if app.sharing.is_some() {
        return sharing::signal(home, app, instance, signal);
    }
    let order = SignalOrder {
        app: app.app_name()?,
        which: Which::Slot(instance.slot()),
        signal,
        main_alone: true,
        if_handled: false,
    };
    home.native().signal(&order)?.into_iter().try_for_each(|(_, came)| judge(app, instance, &came))
}

fn judge(app: &App, instance: &Instance, came: &Signalled) -> Result<()> {
    match came {
        Signalled::Sent { .. } => Ok(()),
        Signalled::NotRunning(_) => Err(Rests::new(app, instance).into()),
        Signalled::Refused { reason } => bail!("{} ({}): {reason}", app.name, instance.id),
    }
}
