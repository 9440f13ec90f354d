//! `signal`: sends a signal to running instances by pidfd, and names the instances that do not run.

use anyhow::{Result, bail};
use formation::Which;
use ps_apps::App;
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_scheduler::{SignalOrder, Signalled};

use crate::args::SignalArgs;
use crate::session::Session;
use crate::{elsewhere, journal, stop};

pub(crate) fn run(session: &Session, args: &SignalArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    journal::of_verb(&session.world, "signal", &app.name, || signal(session, &app, args))
}

fn signal(session: &Session, app: &App, args: &SignalArgs) -> Result<Outcome> {
    let which = args.which.clone().unwrap_or(Which::All);
    let named = match &which {
        Which::All => app.name.to_string(),
        which => format!("{which} of {}", app.name),
    };
    stop::refuse_unknown(session, app, &which)?;
    elsewhere::refuse(&session.world, &app.name, "signal")?;
    let order = SignalOrder {
        app: app.name.clone(),
        which,
        signal: args.signal,
        main_alone: args.main,
        if_handled: false,
    };
    let told = ps_schedulers::of(&session.world, &app.name)?.signal(&order)?;
    let mut missed = 0;
    for (slot, outcome) in &told {
        match outcome {
            Signalled::Sent { processes: 0 } => {
                missed += 1;
                say::warning(&format!("{slot} of {} has just ended: nothing was sent to it", app.name));
            }
            Signalled::Sent { processes } => {
                let plural = if *processes == 1 { "" } else { "es" };
                session.detail(&format!("{slot}: {} sent to {processes} process{plural}", args.signal))?;
            }
            Signalled::NotRunning(state) => {
                missed += 1;
                let (app, state) = (&app.name, state.as_str());
                say::warning(&format!("{slot} of {app} is {state}, not running: nothing was sent to it"));
            }
            Signalled::Refused { reason } => {
                missed += 1;
                say::warning(&format!("{slot} of {}: {reason}", app.name));
            }
        }
    }
    match (told.len(), missed) {
        (0, _) => bail!("no process of {named} runs: {} was sent to none", args.signal),
        (_, 0) => Ok(Outcome::Done),
        (all, missed) => bail!("{missed} of {all} instances did not get {}: see above", args.signal),
    }
}
