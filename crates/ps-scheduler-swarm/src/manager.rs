//! The requests of a verb to the swarm about one app. While the managers choose a leader, they answer nothing for up to
//! twenty seconds. So a request without an answer is repeated for a while, and a change without an answer is looked up
//! before it is made again.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use formation::{AppName, ProcessType};
use ps_engine::{Engine, Reference, SwarmFault};
use ps_scheduler::{Cancel, Error};
use registry_logins::Logins;
use serde_json::{Value, json};

use crate::clients::Clients;
use crate::instances::Nodes;
use crate::service::{self, Service};
use crate::swarm_task::SwarmTask;
use crate::{backends, failed, label, made};

/// How long a swarm without a leader is waited for: as long as it needs to choose another one, and some.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);
/// The pause before something is asked again.
const AGAIN: Duration = Duration::from_millis(300);
/// The pause between two looks at what a swarm does.
pub(crate) const LOOK: Duration = Duration::from_millis(150);

/// What an engine takes to end a container, beside its grace period.
pub(crate) const AFTER_GRACE: Duration = Duration::from_secs(30);
/// How long a swarm waits for the end of a task that it has replaced. One that had no node yet never says that it has ended: if it is the successor
/// of one that failed, and its slot is put back at that moment, the slot is empty for so long.
pub(crate) const OF_THE_REPLACED: Duration = Duration::from_secs(60);

/// One app on a swarm.
#[derive(Clone)]
pub(crate) struct Manager<'a> {
    pub(crate) engine: &'a Engine,
    /// The id of its world.
    pub(crate) world: &'a str,
    pub(crate) app: &'a AppName,
    pub(crate) cancel: &'a Cancel,
    /// The app's clients, where they are to be led along with what is seen.
    pub(crate) clients: Option<&'a Clients>,
    /// With what its nodes ask registries.
    pub(crate) logins: &'a Logins,
    pub(crate) contact: Rc<Contact>,
}

/// How a verb gets on with the managers, in all of its requests together.
#[derive(Debug, Default)]
pub(crate) struct Contact {
    /// Since when they have given no answer that helps; `None`: the last one did. So a verb is patient once, and not again with each request.
    silent_since: Cell<Option<Instant>>,
    /// Whether they were asked to change something.
    pub(crate) has_begun: Cell<bool>,
}

impl<'a> Manager<'a> {
    /// For requests about an app that lead no clients and ask no registry.
    pub(crate) fn new(engine: &'a Engine, world: &'a str, app: &'a AppName, cancel: &'a Cancel) -> Self {
        static NO_LOGINS: LazyLock<Logins> = LazyLock::new(Logins::default);
        Self { engine, world, app, cancel, clients: None, logins: &NO_LOGINS, contact: Rc::default() }
    }
}

/// What there is of an app.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) services: Vec<Service>,
    pub(crate) tasks: Vec<SwarmTask>,
}

impl Seen {
    /// The service of a type.
    pub(crate) fn service(&self, process_type: &ProcessType) -> Option<&Service> {
        self.services.iter().find(|service| service.process_type == *process_type)
    }

    /// The tasks of a service, the earlier one of a slot first.
    pub(crate) fn tasks_of(&self, service: &str) -> impl Iterator<Item = &SwarmTask> {
        self.tasks.iter().filter(move |task| task.service == service)
    }
}

impl Manager<'_> {
    /// The services of the app and their tasks, to which clients are led.
    pub(crate) async fn look(&self) -> Result<Seen, Error> {
        let what = format!("look at {}", self.app);
        let seen = self.patiently(&what, || self.look_once()).await?;
        if let Some(clients) = self.clients.filter(|clients| clients.go_along())
            && let Ok(nodes) = self.engine.nodes().await
        {
            let nodes = Nodes::read(&nodes);
            clients.follow(backends::of_app(&seen.services, &seen.tasks, &nodes, &clients.led()));
        }
        Ok(seen)
    }

    async fn look_once(&self) -> Result<Seen, SwarmFault> {
        let of_app = label::of_instances(Some(self.app));
        let filter = [("label", of_app.as_str())];
        let services = self.engine.swarm_services(&filter, false).await?;
        let tasks = self.engine.swarm_tasks(&filter).await?;
        Ok(Seen { services: Service::of_world(self.world, &services), tasks: SwarmTask::read_all(&tasks) })
    }

    pub(crate) async fn nodes(&self) -> Result<Nodes, Error> {
        let list = self.patiently("list the nodes of the swarm", || self.engine.nodes()).await?;
        Ok(Nodes::read(&list))
    }

    /// Asks until there is an answer, or it has not come for too long.
    pub(crate) async fn patiently<T, F: Future<Output = Result<T, SwarmFault>>>(
        &self,
        what: &str,
        ask: impl Fn() -> F,
    ) -> Result<T, Error> {
        self.answered(ask).await?.map_err(|fault| failed::of_swarm(&fault, what))
    }

    /// The same with the fault that was the last one. The error is that of a verb that was cancelled meanwhile.
    pub(crate) async fn answered<T, F: Future<Output = Result<T, SwarmFault>>>(
        &self,
        ask: impl Fn() -> F,
    ) -> Result<Result<T, SwarmFault>, Error> {
        loop {
            let asked = Instant::now();
            let answer = ask().await;
            if !answer.as_ref().is_err_and(|fault| self.may_come(fault)) {
                self.contact.silent_since.set(None);
                return Ok(answer);
            }
            let since = self.contact.silent_since.get().unwrap_or(asked);
            self.contact.silent_since.set(Some(since));
            if since.elapsed() >= PATIENCE {
                return Ok(answer);
            }
            self.cancel.check()?;
            again().await;
        }
    }

    /// Whether the same call may succeed later, or has succeeded. Whoever has begun waits for an engine that is started again, too.
    pub(crate) fn may_come(&self, fault: &SwarmFault) -> bool {
        may_come_true(fault) || matches!(fault, SwarmFault::Unanswered(_)) && self.contact.has_begun.get()
    }

    /// Changes a service to what `wanted` returns for its current state, and returns the changed service.
    pub(crate) async fn bring(&self, id: &str, wanted: impl Fn(&Service) -> Value) -> Result<Service, Error> {
        let what = format!("change a service of {}", self.app);
        let until = Instant::now() + PATIENCE;
        loop {
            let json = self.patiently(&what, || self.engine.service(id)).await?;
            let gone = || failed::backend(&what, "the service is not one of this app any more".to_owned());
            let service = Service::read(&json).ok_or_else(gone)?;
            let spec = wanted(&service);
            if is_same(&service.spec, &spec) {
                return Ok(service);
            }
            let auth = self.auth_in_place_of(&service.spec, &spec);
            let is_late = Instant::now() >= until;
            self.contact.has_begun.set(true);
            match self.engine.update_service(id, service.version, &spec, auth.as_deref()).await {
                Ok(_) if is_late => {
                    let reason = "the swarm takes the change, and somebody changes it back each time: end what does that, then run the verb again";
                    return Err(failed::backend(&what, reason.to_owned()));
                }
                Ok(_) => {}
                Err(fault) if self.may_come(&fault) && !is_late => again().await,
                Err(fault) => return Err(failed::of_swarm(&fault, &what)),
            }
        }
    }

    /// Makes the service of a type; if an earlier call has made it, that one is brought to be so.
    pub(crate) async fn make(&self, process_type: &ProcessType, spec: &Value) -> Result<Service, Error> {
        let what = format!("make the service of {process_type} of {}", self.app);
        let until = Instant::now() + PATIENCE;
        let mut names = label::names(self.world, self.app, process_type).into_iter();
        let mut name = names.next().unwrap_or_default();
        loop {
            if let Some(service) = self.look().await?.service(process_type) {
                return self.bring(&service.id, |service| named(spec, &service.name)).await;
            }
            self.contact.has_begun.set(true);
            match self.engine.create_service(&named(spec, &name), self.auth(spec).as_deref()).await {
                Ok(_) => {}
                Err(fault) if fault.is_conflict() => match names.next() {
                    Some(next) => name = next,
                    None => return Err(failed::of_swarm(&fault, &what)),
                },
                Err(fault) if self.may_come(&fault) && Instant::now() < until => {
                    again().await;
                }
                Err(fault) => return Err(failed::of_swarm(&fault, &what)),
            }
        }
    }

    /// What the nodes are to ask the registry of a specification's image with; `None` if nothing is known for it.
    pub(crate) fn auth(&self, spec: &Value) -> Option<String> {
        registry(spec).and_then(|registry| self.logins.header(&registry))
    }

    /// The same for a specification that comes in the place of another one. If nothing is known for the registry, the swarm keeps what it has, as
    /// somebody else may have deployed; but what one registry is asked with is not for another one.
    fn auth_in_place_of(&self, before: &Value, spec: &Value) -> Option<String> {
        self.auth(spec).or_else(|| (registry(before) != registry(spec)).then(Logins::nothing))
    }

    /// Removes a service; one that is gone is success.
    pub(crate) async fn remove(&self, id: &str) -> Result<(), Error> {
        let what = format!("remove a service of {}", self.app);
        self.contact.has_begun.set(true);
        self.patiently(&what, || self.engine.remove_service(id)).await
    }
}

/// The host of the registry that has the image of a specification; `None` if none has it.
fn registry(spec: &Value) -> Option<String> {
    Reference::registry_of(spec["TaskTemplate"]["ContainerSpec"]["Image"].as_str()?)
}

/// Waits before something is asked again.
pub(crate) async fn again() {
    tokio::time::sleep(AGAIN).await;
}

/// Whether the same call of a verb that has not begun may succeed later, or has succeeded.
fn may_come_true(fault: &SwarmFault) -> bool {
    match fault {
        SwarmFault::Refused(_) | SwarmFault::NotManager(_) => false,
        SwarmFault::OutOfSequence(_) | SwarmFault::Unknown(_) | SwarmFault::NoQuorum(_) => true,
        // An engine whose socket refuses connections is not asked again.
        SwarmFault::Unanswered(fault) => !matches!(fault, ps_engine::Fault::Silent { asked: None, .. }),
    }
}

/// Whether two specifications of a service say the same of what a verb changes: a swarm writes others of their fields in its own way.
fn is_same(one: &Value, other: &Value) -> bool {
    let told = |spec: &Value| {
        let labels = &spec["Labels"];
        let label = |name: &str| labels[name].as_str().map(str::to_owned);
        (
            service::revision(&spec["TaskTemplate"]).map(str::to_owned),
            spec["Mode"]["Replicated"]["Replicas"].as_u64(),
            [label::STOPPED, label::DEPLOY, label::RELEASE, label::NUDGED].map(label),
        )
    };
    told(one) == told(other)
}

/// A specification with this name.
fn named(spec: &Value, name: &str) -> Value {
    let mut spec = spec.clone();
    spec["Name"] = json!(name);
    spec
}

/// The specification of a service with another number of tasks; `stopped`: how many a person has stopped.
pub(crate) fn scaled(service: &Service, replicas: u16, stopped: u16) -> Value {
    let mut spec = service.spec.clone();
    spec["Mode"]["Replicated"]["Replicas"] = json!(replicas);
    if let Some(labels) = spec["Labels"].as_object_mut() {
        labels.remove(label::STOPPED);
        if stopped > 0 {
            labels.insert(label::STOPPED.to_owned(), json!(stopped.to_string()));
        }
    }
    made::recount(&mut spec);
    spec
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::tests::described;

    #[test]
    fn what_a_verb_changes_decides_whether_a_service_is_as_it_should_be() {
        let service = Service::read(&described("web", 2, "r1")).expect("one of ours");
        let mut same = service.spec.clone();
        same["TaskTemplate"]["Networks"] = json!([{"Target": "an id in place of a name"}]);
        assert!(is_same(&service.spec, &same));
        for other in
            [scaled(&service, 3, 0), scaled(&service, 2, 2), described("web", 2, "r2")["Spec"].clone()]
        {
            assert!(!is_same(&service.spec, &other), "{other}");
        }
    }

    #[test]
    fn what_one_registry_is_asked_with_is_never_for_another_one() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("config.json");
        let text = r#"{"auths": {"a.example": {"username": "ann", "password": "x"}}}"#;
        std::fs::write(&file, text).expect("written");
        let logins = Logins::read(&file).expect("a file");
        let engine = Engine::new("/nowhere.sock".into()).expect("a client");
        let (app, cancel) = ("shop".parse().expect("a name"), Cancel::default());
        let manager = Manager { logins: &logins, ..Manager::new(&engine, "w", &app, &cancel) };
        let of = |image: &str| json!({"TaskTemplate": {"ContainerSpec": {"Image": image}}});
        let in_place_of = |one: &str, other: &str| manager.auth_in_place_of(&of(one), &of(other));
        let known = logins.header("a.example");
        assert!(known.is_some());
        assert_eq!(in_place_of("b.example/shop:1", "a.example/shop:1"), known);
        assert_eq!(in_place_of("b.example/shop:1", "b.example/shop:2"), None);
        assert_eq!(in_place_of("a.example/shop:1", "b.example/shop:1"), Some(Logins::nothing()));
        assert_eq!(in_place_of("a.example/shop:1", "sha256:00"), Some(Logins::nothing()));
    }

    #[test]
    fn scaling_touches_no_more_than_the_number_and_what_was_stopped() {
        let mut json = described("web", 2, "r1");
        json["Spec"]["Labels"]["other"] = json!("1");
        let service = Service::read(&json).expect("one of ours");
        let stopped = scaled(&service, 0, 2);
        assert_eq!(
            (&stopped["Labels"][label::STOPPED], &stopped["Labels"]["other"]),
            (&json!("2"), &json!("1"))
        );
        assert_eq!(stopped["TaskTemplate"], service.spec["TaskTemplate"]);
        let again = Service { spec: stopped, ..service.clone() };
        assert_eq!(scaled(&again, 2, 0), service.spec);
    }
}
