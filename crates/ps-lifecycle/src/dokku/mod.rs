//! The verbs inside Dokku. They call the same triggers as Dokku's own `ps`, in the same order (docs/dokku.md), because builds,
//! networks, proxies and checks belong to other plugins there. Triggers that only ask something are not called if files, or
//! one request to the engine, have the answer. Subcommands hold the app's lock and then Dokku's lock of a deploy; hooks hold
//! neither.

mod all;
pub(crate) mod apps;
mod hold;
pub(crate) mod hooks;
mod inspect;
mod question;
mod rebuild;
mod restart;
mod restore;
mod retire;
mod start;
mod stop;
mod tags;

pub(crate) use apps::no_app;

use anyhow::Result;
use ps_cli::exit::{Outcome, Refusal};

use crate::args::Verb;
use crate::processes;
use crate::session::Session;

/// Runs a verb; `None` if the verb is the same inside and outside Dokku.
pub(crate) fn run(session: &Session, verb: &Verb) -> Option<Result<Outcome>> {
    let ended = match verb {
        Verb::Start(args) => start::run(session, args),
        Verb::Stop(args) => stop::run(session, args),
        Verb::Restart(args) => restart::run(session, &args.target),
        Verb::Reload(args) => restart::run(session, args),
        Verb::Rebuild(args) => rebuild::run(session, args),
        Verb::Restore(args) => restore::run(session, args),
        Verb::Retire(args) => retire::run(session, args),
        Verb::Inspect(args) => inspect::run(session, args),
        Verb::Converge(args) if args.dry_run => return None,
        Verb::Deploy(args) if args.source.tag.is_some() => tags::deploy(session, args),
        Verb::Deploy(_)
        | Verb::Apply(_)
        | Verb::Converge(_)
        | Verb::Destroy(_)
        | Verb::Snapshot(_)
        | Verb::Finish(_) => Err(Refusal::failed(
            "inside Dokku, apps are deployed and destroyed by its own commands: git push, ps:scale, apps:destroy",
        )),
        Verb::Rollback(_) | Verb::Releases(_) => Err(Refusal::failed(
            "inside Dokku no releases are kept: an image of before is deployed by its tag, with tags:deploy",
        )),
        Verb::Run(_) | Verb::Enter(_) => {
            Err(Refusal::failed("inside Dokku, dokku run and dokku enter do that"))
        }
        Verb::Boot(_) => {
            Err(Refusal::failed("inside Dokku, apps come back by Dokku's own unit, dokku-redeploy.service"))
        }
        Verb::Watch(_) | Verb::Mend(_) => Err(Refusal::failed(
            "inside Dokku, containers are Dokku's to watch: its dokku-event-listener does it",
        )),
        Verb::Proxy(_) => Err(Refusal::failed(
            "inside Dokku its proxies talk to clients: dokku proxy and dokku ports do that",
        )),
        Verb::Processes(args) => processes::run(session, args),
        Verb::Status(_)
        | Verb::Logs(_)
        | Verb::Events(_)
        | Verb::Signal(_)
        | Verb::Reset(_)
        | Verb::Doctor(_) => {
            return None;
        }
        Verb::Tag(args) => crate::tags::create(session, args),
        Verb::Tags(args) => crate::tags::list(session, args),
        Verb::Untag(args) => crate::tags::destroy(session, args),
    };
    Some(ended.map_err(last_words))
}

/// The final error of a verb. For an app that was never deployed it is Dokku's sentence, whichever scheduler reports it.
fn last_words(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref() {
        Some(ps_scheduler::Error::NotDeployed { app }) => Refusal::failed(ps_dokku::words::not_deployed(app)),
        _ => error,
    }
}
