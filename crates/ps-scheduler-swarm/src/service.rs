//! A service of an app, read from the manager's description. The whole specification is kept, because an update replaces all of it.

use std::time::Duration;

use formation::{AppName, ProcessType};
use serde_json::{Value, json};

use crate::label;
use crate::made::Altered;

/// A service that runs the instances of one type.
#[derive(Clone, Debug)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The number that an update has to name.
    pub(crate) version: u64,
    pub(crate) app: AppName,
    pub(crate) process_type: ProcessType,
    /// How many tasks it is to have.
    pub(crate) replicas: u16,
    pub(crate) spec: Value,
    /// The specification before the last change, where the swarm still knows it.
    pub(crate) previous: Option<Value>,
    /// How far the swarm has come with the last change of what the tasks are made from; `None` if it has not begun, or has nothing to do.
    pub(crate) update: Option<Update>,
    /// How somebody else has changed it.
    pub(crate) altered: Altered,
}

/// What the swarm says of an update.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Update {
    pub(crate) state: UpdateState,
    /// Why, in its own words.
    pub(crate) message: String,
}

/// How far an update has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpdateState {
    Updating,
    Completed,
    /// It was given up, and what has been replaced stays so.
    Paused,
    RollbackStarted,
    RollbackCompleted,
    RollbackPaused,
}

impl Service {
    /// A service of the list; `None` for one that is not an app's, or that runs a task of a deploy.
    pub(crate) fn read(json: &Value) -> Option<Self> {
        let spec = &json["Spec"];
        let label = |name: &str| spec["Labels"][name].as_str();
        if label(label::TASK).is_some() {
            return None;
        }
        let replicas = spec["Mode"]["Replicated"]["Replicas"].as_u64()?;
        Some(Self {
            id: json["ID"].as_str()?.to_owned(),
            name: spec["Name"].as_str()?.to_owned(),
            version: json["Version"]["Index"].as_u64()?,
            app: label(label::APP)?.parse().ok()?,
            process_type: label(label::PROCESS_TYPE)?.parse().ok()?,
            replicas: u16::try_from(replicas).unwrap_or(u16::MAX),
            spec: spec.clone(),
            previous: json.get("PreviousSpec").filter(|previous| previous.is_object()).cloned(),
            update: update(&json["UpdateStatus"]),
            altered: Altered::of(spec),
        })
    }

    /// The same with no more of its specification than a status asks for. No update can be made from it.
    pub(crate) fn outline(json: &Value) -> Option<Self> {
        let template = &json["Spec"]["TaskTemplate"];
        let outline = json!({
            "ID": json["ID"],
            "Version": json["Version"],
            "UpdateStatus": json["UpdateStatus"],
            "Spec": {
                "Name": json["Spec"]["Name"],
                "Labels": json["Spec"]["Labels"],
                "Mode": json["Spec"]["Mode"],
                "EndpointSpec": json["Spec"]["EndpointSpec"],
                "TaskTemplate": {
                    "ContainerSpec": { "Labels": { label::REVISION: revision(template) } },
                    "RestartPolicy": {
                        "Condition": template["RestartPolicy"]["Condition"],
                        "MaxAttempts": template["RestartPolicy"]["MaxAttempts"],
                    },
                },
            },
        });
        Some(Self { altered: Altered::of(&json["Spec"]), ..Self::read(&outline)? })
    }

    /// All of a list.
    #[cfg(test)]
    pub(crate) fn read_all(list: &Value) -> Vec<Self> {
        list.as_array().into_iter().flatten().filter_map(Self::read).collect()
    }

    /// Those of a list that are of a world.
    pub(crate) fn of_world(world: &str, list: &Value) -> Vec<Self> {
        let is_ours = |json: &&Value| label::is_of(world, &json["Spec"]);
        list.as_array().into_iter().flatten().filter(is_ours).filter_map(Self::read).collect()
    }

    fn label(&self, name: &str) -> Option<&str> {
        self.spec["Labels"][name].as_str()
    }

    /// The deploy that it is of.
    pub(crate) fn deploy(&self) -> Option<&str> {
        self.label(label::DEPLOY)
    }

    /// The number of the release that it is of.
    pub(crate) fn release(&self) -> Option<u64> {
        self.label(label::RELEASE)?.parse().ok()
    }

    /// How many instances a person has stopped; 0 if it is to run.
    pub(crate) fn stopped(&self) -> u16 {
        self.label(label::STOPPED).and_then(|count| count.parse().ok()).unwrap_or(0)
    }

    /// Whether an update of it was begun anew, so that its earlier specification is not the one before the update.
    pub(crate) fn is_nudged(&self) -> bool {
        self.label(label::NUDGED).is_some()
    }

    /// Whether an instance that has ended with success gets no successor.
    pub(crate) fn ends_for_good(&self) -> bool {
        self.spec["TaskTemplate"]["RestartPolicy"]["Condition"].as_str().is_some_and(|word| word != "any")
    }

    /// Whether the swarm stops starting an instance again that fails. Otherwise it makes a successor in a moment.
    pub(crate) fn gives_up(&self) -> bool {
        let policy = &self.spec["TaskTemplate"]["RestartPolicy"];
        policy["Condition"] == "none" || policy["MaxAttempts"].as_u64().is_some_and(|most| most > 0)
    }

    /// Why its number of tasks cannot be changed; `None` if it can. A swarm takes each change for the wish to go on with an update that it has
    /// given up, and ends what still runs of the release before.
    pub(crate) fn refusal_to_scale(&self) -> Option<String> {
        let update = self.update.as_ref().filter(|_| self.replicas > 0)?;
        let is_given_up = matches!(update.state, UpdateState::Paused | UpdateState::RollbackPaused);
        let (app, process_type) = (&self.app, &self.process_type);
        is_given_up.then(|| {
            format!(
                "the last update of {process_type} was given up half-way ({}), and with another count the swarm would go on with it: first \
                 ps-lifecycle restart {app} {process_type}, or deploy {app}",
                update.message
            )
        })
    }

    /// That somebody else has changed it, and what; `None`: nobody has.
    pub(crate) fn change_by_others(&self) -> Option<String> {
        let what = self.altered.said(self.replicas)?;
        let (app, process_type) = (&self.app, &self.process_type);
        Some(format!(
            "{app}: the service of {process_type} is not what was deployed: somebody has changed it ({what})"
        ))
    }

    /// How long its tasks have to end.
    pub(crate) fn grace(&self) -> Duration {
        grace(&self.spec)
    }

    /// The revision that distinguishes its instances from those before.
    pub(crate) fn revision(&self) -> Option<&str> {
        revision(&self.spec["TaskTemplate"])
    }
}

/// How long the tasks of a service of this specification have to end.
pub(crate) fn grace(spec: &Value) -> Duration {
    let nanos = spec["TaskTemplate"]["ContainerSpec"]["StopGracePeriod"].as_u64();
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// The revision of what a task is made from.
pub(crate) fn revision(template: &Value) -> Option<&str> {
    template["ContainerSpec"]["Labels"][label::REVISION].as_str()
}

fn update(json: &Value) -> Option<Update> {
    let state = match json["State"].as_str()? {
        "updating" => UpdateState::Updating,
        "completed" => UpdateState::Completed,
        "paused" => UpdateState::Paused,
        "rollback_started" => UpdateState::RollbackStarted,
        "rollback_completed" => UpdateState::RollbackCompleted,
        "rollback_paused" => UpdateState::RollbackPaused,
        _ => return None,
    };
    Some(Update { state, message: json["Message"].as_str().unwrap_or_default().to_owned() })
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A service of the app `shop` as a manager describes it.
    pub(crate) fn described(process_type: &str, replicas: u16, revision: &str) -> Value {
        json!({
            "ID": format!("id-{process_type}"), "Version": {"Index": 7},
            "Spec": {
                "Name": format!("shop_{process_type}"),
                "Labels": {
                    label::APP: "shop", label::PROCESS_TYPE: process_type, label::RELEASE: "3", label::DEPLOY: "d",
                },
                "Mode": {"Replicated": {"Replicas": replicas}},
                "TaskTemplate": {"ContainerSpec": {"Labels": {label::REVISION: revision}}},
            },
        })
    }

    #[test]
    fn a_service_is_read_and_what_is_none_of_an_app_is_not() {
        let mut json = described("web", 2, "r1");
        json["UpdateStatus"] = json!({"State": "rollback_started", "Message": "task failed"});
        let service = Service::read(&json).expect("one of ours");
        assert_eq!((service.replicas, service.release(), service.revision()), (2, Some(3), Some("r1")));
        assert_eq!(
            service.update,
            Some(Update { state: UpdateState::RollbackStarted, message: "task failed".to_owned() })
        );
        let mut job = described("release", 1, "r1");
        job["Spec"]["Labels"][label::TASK] = json!("release");
        let list = json!([json, {"ID": "x", "Spec": {"Name": "other", "Mode": {"Global": {}}}}, job]);
        assert_eq!(Service::read_all(&list).len(), 1);
    }
}
