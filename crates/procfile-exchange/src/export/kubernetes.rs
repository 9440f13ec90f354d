//! Kubernetes: a Deployment per process type. Kubernetes expands `$(NAME)` in arguments and variables, so each `$` is written twice.
//! Names of Deployments are DNS labels. A process type that is none gets the nearest label, and `PS` keeps its own name.

use std::collections::BTreeMap;

use crate::export::error::ExportError;
use crate::export::job::{Instance, Job};
use crate::export::label::label;
use crate::export::output::Output;
use crate::export::text::Text;
use crate::export::yaml::Yaml;

/// Renders the manifests, one file per type.
pub(crate) fn render(job: &Job) -> Result<Vec<Output>, ExportError> {
    let mut owners: BTreeMap<String, &str> = BTreeMap::new();
    for instance in firsts(job) {
        let name = label(&instance.process_type);
        if let Some(other) = owners.insert(name.clone(), &instance.process_type) {
            let (one, other) = (other.to_owned(), instance.process_type.clone());
            return Err(ExportError::SharedName { one, other, name });
        }
    }
    let file = |instance: &Instance| {
        let name = name(job, instance);
        let path = format!("kubernetes/{name}.yaml");
        Output::file(path, 0o600, deployment(job, instance, &name).document())
    };
    Ok(firsts(job).map(file).collect())
}

/// A line for each name that was replaced by a label.
pub(crate) fn notes(job: &Job) -> Vec<String> {
    let (app, rule) =
        (job.settings.app.as_str(), "names there are lower-case letters, digits and -, 63 at most");
    let of_app = (label(app) != app).then(|| format!("{app} is called {} in Kubernetes: {rule}", label(app)));
    let of_type = |instance: &Instance| {
        let process_type = &instance.process_type;
        let short = label(process_type);
        let whole = format!("{}-{short}", label(app));
        if short != *process_type {
            Some(format!("{process_type} is called {short} in Kubernetes: {rule}"))
        } else if name(job, instance) != whole {
            Some(format!("the Deployment of {process_type} is called {}: {rule}", name(job, instance)))
        } else {
            None
        }
    };
    of_app.into_iter().chain(firsts(job).filter_map(of_type)).collect()
}

/// One instance of each process type.
fn firsts(job: &Job) -> impl Iterator<Item = &Instance> {
    job.instances.iter().filter(|instance| instance.number == 1)
}

/// The name of a Deployment.
fn name(job: &Job, instance: &Instance) -> String {
    label(&format!("{}-{}", job.settings.app, label(&instance.process_type)))
}

fn deployment(job: &Job, instance: &Instance, name: &str) -> Yaml {
    let labels = || {
        Yaml::map([
            ("app.kubernetes.io/name", Yaml::own(label(&instance.process_type))),
            ("app.kubernetes.io/part-of", Yaml::own(label(job.settings.app.as_str()))),
        ])
    };
    let template = Yaml::map([
        ("metadata", Yaml::map([("labels", labels())])),
        (
            "spec",
            Yaml::map([
                ("terminationGracePeriodSeconds", Yaml::Number(job.settings.timeout.into())),
                ("containers", Yaml::List(vec![container(job, instance)])),
            ]),
        ),
    ]);
    let spec = Yaml::map([
        ("replicas", Yaml::Number(job.count(&instance.process_type))),
        ("selector", Yaml::map([("matchLabels", labels())])),
        ("template", template),
    ]);
    Yaml::map([
        ("apiVersion", Yaml::own("apps/v1")),
        ("kind", Yaml::own("Deployment")),
        ("metadata", Yaml::map([("name", Yaml::own(name)), ("labels", labels())])),
        ("spec", spec),
    ])
}

fn container(job: &Job, instance: &Instance) -> Yaml {
    let ps = format!("{}-{}", job.settings.app, instance.process_type);
    let variables = Job::environment(instance, &ps).into_iter();
    let variables =
        variables.map(|(name, value)| Yaml::map([("name", Yaml::own(name)), ("value", doubled(&value))]));
    Yaml::map([
        ("name", Yaml::own(label(&instance.process_type))),
        ("image", Yaml::text(&job.settings.image)),
        ("command", Yaml::List(vec![Yaml::own("/bin/sh"), Yaml::own("-c")])),
        ("args", Yaml::List(vec![doubled(&instance.script())])),
        ("workingDir", Yaml::text(job.settings.working_directory.text())),
        ("env", Yaml::List(variables.collect())),
    ])
}

fn doubled(text: &Text) -> Yaml {
    Yaml::own(text.as_str().replace('$', "$$"))
}
