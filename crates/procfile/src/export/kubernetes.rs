//! Kubernetes: a Deployment per process type. `$(NAME)` is expanded in arguments and variables, so each `$` is doubled.

use crate::export::job::{Instance, Job};
use crate::export::text::Text;
use crate::export::yaml::Yaml;
use crate::export::{ExportError, Output};

/// The manifests, one file per type.
pub(crate) fn render(job: &Job) -> Result<Vec<Output>, ExportError> {
    let firsts = job.instances.iter().filter(|instance| instance.number == 1);
    let file = |instance: &Instance| {
        let name = label(&format!("{}-{}", job.settings.app, instance.process_type))?;
        let path = format!("kubernetes/{name}.yaml");
        Ok(Output::file(path, 0o600, deployment(job, instance, &name)?.document()))
    };
    firsts.map(file).collect()
}

fn deployment(job: &Job, instance: &Instance, name: &str) -> Result<Yaml, ExportError> {
    let labels = || -> Result<Yaml, ExportError> {
        Ok(Yaml::map([
            ("app.kubernetes.io/name", Yaml::own(label(&instance.process_type)?)),
            ("app.kubernetes.io/part-of", Yaml::own(label(job.settings.app.as_str())?)),
        ]))
    };
    let template = Yaml::map([
        ("metadata", Yaml::map([("labels", labels()?)])),
        (
            "spec",
            Yaml::map([
                ("terminationGracePeriodSeconds", Yaml::Number(job.settings.timeout.into())),
                ("containers", Yaml::List(vec![container(job, instance)?])),
            ]),
        ),
    ]);
    let spec = Yaml::map([
        ("replicas", Yaml::Number(job.count(&instance.process_type))),
        ("selector", Yaml::map([("matchLabels", labels()?)])),
        ("template", template),
    ]);
    Ok(Yaml::map([
        ("apiVersion", Yaml::own("apps/v1")),
        ("kind", Yaml::own("Deployment")),
        ("metadata", Yaml::map([("name", Yaml::own(name)), ("labels", labels()?)])),
        ("spec", spec),
    ]))
}

fn container(job: &Job, instance: &Instance) -> Result<Yaml, ExportError> {
    let ps = format!("{}-{}", job.settings.app, instance.process_type);
    let variables = Job::environment(instance, &ps).into_iter();
    let variables =
        variables.map(|(name, value)| Yaml::map([("name", Yaml::own(name)), ("value", doubled(&value))]));
    Ok(Yaml::map([
        ("name", Yaml::own(label(&instance.process_type)?)),
        ("image", Yaml::text(&job.settings.image)),
        ("command", Yaml::List(vec![Yaml::own("/bin/sh"), Yaml::own("-c")])),
        ("args", Yaml::List(vec![doubled(&instance.script())])),
        ("workingDir", Yaml::text(job.settings.working_directory.text())),
        ("env", Yaml::List(variables.collect())),
    ]))
}

fn doubled(text: &Text) -> Yaml {
    Yaml::own(text.as_str().replace('$', "$$"))
}

/// A DNS label, which names must be.
fn label(name: &str) -> Result<String, ExportError> {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let edges = !name.starts_with('-') && !name.ends_with('-');
    if edges && name.bytes().all(inside) && (1..=63).contains(&name.len()) {
        return Ok(name.to_owned());
    }
    let why = "is no DNS label, which Kubernetes needs".to_owned();
    Err(ExportError::Value { what: format!("the name {name:?}"), why })
}
