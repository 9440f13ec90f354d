//! A Compose file: one service per process type, its instances as replicas. Compose expands `$`, so each `$` is written twice. The
//! file does not name the project, because Compose 1 refuses a file that does.

use crate::export::job::{Instance, Job};
use crate::export::output::Output;
use crate::export::text::Text;
use crate::export::yaml::Yaml;

/// Renders the file.
pub(crate) fn render(job: &Job) -> Vec<Output> {
    let firsts = job.instances.iter().filter(|instance| instance.number == 1);
    let services = firsts.map(|instance| (instance.process_type.clone(), service(job, instance)));
    let file = Yaml::map([("services", Yaml::Map(services.collect()))]);
    vec![Output::file("compose.yaml".to_owned(), 0o600, file.document())]
}

fn service(job: &Job, instance: &Instance) -> Yaml {
    let settings = &job.settings;
    let ps = format!("{}-{}", settings.app, instance.process_type);
    let variables = Job::environment(instance, &ps).into_iter();
    let variables = variables.map(|(name, value)| (name, doubled(&value)));
    Yaml::map([
        ("image", doubled(&settings.image)),
        ("entrypoint", Yaml::List(vec![Yaml::own("/bin/sh"), Yaml::own("-c")])),
        ("command", Yaml::List(vec![doubled(&instance.script())])),
        ("environment", Yaml::Map(variables.collect())),
        ("working_dir", doubled(settings.working_directory.text())),
        ("restart", Yaml::own("always")),
        ("stop_grace_period", Yaml::own(format!("{}s", settings.timeout))),
        ("deploy", Yaml::map([("replicas", Yaml::Number(job.count(&instance.process_type)))])),
    ])
}

fn doubled(text: &Text) -> Yaml {
    Yaml::own(text.as_str().replace('$', "$$"))
}
