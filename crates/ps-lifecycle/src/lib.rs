//! Deploys, starts, stops, restarts, inspects and destroys apps: the verbs that change running instances. A plan decides
//! what to do, and a scheduler carries it out. Each verb has a file of its name.

mod address;
mod apply;
mod archive;
mod args;
mod ask;
mod boot;
mod canary;
mod certificate;
mod compose;
mod converge;
mod deploy;
mod destroy;
mod doctor;
mod dokku;
mod each;
mod elsewhere;
mod enter;
mod events;
mod finish;
mod idle;
mod images;
mod inspect;
mod interrupted;
mod journal;
mod leave;
mod logs;
mod mend;
mod other_word;
mod plan;
mod processes;
mod provision;
mod proxy;
mod rebuild;
mod release;
mod releases;
mod reload;
mod required;
mod reset;
mod restart;
mod restore;
mod retire;
mod rollback;
mod run;
mod scripts;
mod session;
mod shared_port;
mod signal;
mod snapshot;
mod source_args;
mod sources;
mod start;
mod status;
mod stop;
mod tags;
mod teller;
mod watch;
mod wish;
mod worlds;

use std::error::Error;

use anyhow::Result;
use clap::Parser;
use clap::error::ErrorKind;
use formation::{InvalidSignal, InvalidSlot};
use ps_apps::InvalidSnapshotName;
use ps_cli::completion;
use ps_cli::exit::{self, Outcome, Refusal};
use ps_cli::say;
use ps_supervisor::Question;

use crate::args::{Args, InvalidParallel, Verb};
use crate::session::Session;

/// The arguments, for man pages and completions.
pub fn command() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs the program.
pub fn run() -> Result<Outcome> {
    if completion::answered(command, &[]) {
        return Ok(Outcome::Done);
    }
    let words = exit::arguments();
    if words.get(1).is_some_and(|word| word == dokku::hooks::FLAG) {
        return dokku::hooks::answer(&words[2..]);
    }
    if let Some(question) = Question::asked(words) {
        return ask::answer(question);
    }
    let args = parse()?;
    if let Some(done) = worlds::each(&args) {
        return done;
    }
    let session = Session::open(&args)?;
    let done = carry_out(&session, &args);
    session.teller.ends(&done, || session.check().is_err());
    done
}

fn carry_out(session: &Session, args: &Args) -> Result<Outcome> {
    if session.world.inside_dokku() && args.verb.requirement().is_some() {
        return Err(Refusal::usage("inside Dokku its proxies talk to clients: leave --require out"));
    }
    if session.world.inside_dokku()
        && let Some(ended) = dokku::run(session, &args.verb)
    {
        return ended;
    }
    match &args.verb {
        Verb::Deploy(args) => deploy::run(session, args),
        Verb::Apply(args) => apply::run(session, args),
        Verb::Converge(args) if args.dry_run => plan::print(session, args),
        Verb::Converge(args) => converge::run(session, args),
        Verb::Start(args) => start::run(session, args),
        Verb::Stop(args) => stop::run(session, args),
        Verb::Restart(args) => restart::run(session, args),
        Verb::Rebuild(args) => rebuild::run(session, args),
        Verb::Restore(args) => restore::run(session, args),
        Verb::Rollback(args) => rollback::run(session, args),
        Verb::Releases(args) => releases::run(session, args),
        Verb::Tag(args) => tags::create(session, args),
        Verb::Tags(args) => tags::list(session, args),
        Verb::Untag(args) => tags::destroy(session, args),
        Verb::Run(args) => run::run(session, args),
        Verb::Enter(args) => enter::run(session, args),
        Verb::Signal(args) => signal::run(session, args),
        Verb::Proxy(args) => proxy::run(session, args),
        Verb::Reload(args) => reload::run(session, args),
        Verb::Reset(args) => reset::run(session, args),
        Verb::Snapshot(args) => snapshot::run(session, args),
        Verb::Retire(args) => retire::run(session, args),
        Verb::Destroy(args) => destroy::run(session, args),
        Verb::Status(args) => status::run(session, args),
        Verb::Logs(args) => logs::run(session, args),
        Verb::Events(args) => events::run(session, args),
        Verb::Inspect(args) => inspect::run(session, args),
        Verb::Processes(args) => processes::run(session, args),
        Verb::Doctor(args) => doctor::run(session, args),
        Verb::Boot(args) => boot::run(session, args),
        Verb::Watch(args) => watch::run(session, args),
        Verb::Mend(args) => mend::run(session, args),
        Verb::Finish(args) => finish::run(session, args),
    }
}

/// Parses the command line. A refused value is exit status 1, wrong usage is 2 (docs/contract.md).
fn parse() -> Result<Args> {
    Args::try_parse().map_err(|error| {
        let cause = error.source();
        if let Some(invalid) = cause.and_then(|cause| cause.downcast_ref::<InvalidSlot>()) {
            return Refusal::failed(invalid.to_string());
        }
        if let Some(invalid) = cause.and_then(|cause| cause.downcast_ref::<InvalidSignal>()) {
            let order = other_word::order_of_signal(&exit::arguments());
            return Refusal::failed(order.unwrap_or_else(|| invalid.to_string()));
        }
        if let Some(invalid) = cause.and_then(|cause| cause.downcast_ref::<InvalidSnapshotName>()) {
            return Refusal::failed(invalid.to_string());
        }
        if let Some(hint) = other_word::hint(&error).filter(|_| !say::inside_dokku()) {
            return Refusal::usage(hint);
        }
        match cause.and_then(|cause| cause.downcast_ref::<InvalidParallel>()) {
            Some(invalid) if say::inside_dokku() => Refusal::failed(invalid.to_string()),
            _ if say::inside_dokku() && error.kind() == ErrorKind::MissingRequiredArgument => dokku::no_app(),
            _ => ps_cli::usage::without_hidden(error, &command()).into(),
        }
    })
}
