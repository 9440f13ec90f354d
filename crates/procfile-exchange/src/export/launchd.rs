//! launchd property lists: one daemon per instance.

use crate::export::draft::Draft;
use crate::export::job::{Instance, Job, plain};
use crate::export::output::Output;
use crate::export::text::Text;

/// A value of a property list.
enum Value {
    Text(Text),
    Integer(i64),
    True,
    List(Vec<Value>),
    Dictionary(Vec<(Text, Value)>),
}

/// Renders the property lists.
pub(crate) fn render(job: &Job) -> Vec<Output> {
    let path = |instance| format!("Library/LaunchDaemons/{}.plist", job.dashed(instance));
    let file = |instance| Output::file(path(instance), 0o644, document(&daemon(job, instance)));
    job.instances.iter().map(file).collect()
}

fn daemon(job: &Job, instance: &Instance) -> Value {
    let settings = &job.settings;
    let own = |text: &str| Value::Text(plain(text));
    let variables = Job::environment(instance, &job.dotted(instance));
    let variables = variables.into_iter().map(|(name, value)| (plain(&name), Value::Text(value)));
    let mut daemon = vec![
        ("Label", own(&job.dashed(instance))),
        ("EnvironmentVariables", Value::Dictionary(variables.collect())),
        ("ProgramArguments", Value::List(vec![own("/bin/sh"), own("-c"), Value::Text(instance.script())])),
        ("KeepAlive", Value::True),
        ("RunAtLoad", Value::True),
        ("StandardOutPath", Value::Text(job.log(instance, "stdout"))),
        ("StandardErrorPath", Value::Text(job.log(instance, "stderr"))),
        ("UserName", own(settings.user.as_str())),
        ("GroupName", own(settings.group.as_str())),
        ("WorkingDirectory", Value::Text(settings.working_directory.text().clone())),
        ("ExitTimeOut", Value::Integer(settings.timeout.into())),
    ];
    if let Some(nice) = settings.nice {
        daemon.push(("Nice", Value::Integer(nice.into())));
    }
    if let Some(limits) = limits(job) {
        daemon.push(("SoftResourceLimits", limits));
    }
    Value::Dictionary(daemon.into_iter().map(|(key, value)| (plain(key), value)).collect())
}

fn limits(job: &Job) -> Option<Value> {
    let limits = job.settings.limits.iter().filter_map(|limit| limit.launchd());
    let limits: Vec<_> = limits
        .map(|(name, amount)| (plain(name), Value::Integer(i64::try_from(amount).unwrap_or(i64::MAX))))
        .collect();
    (!limits.is_empty()).then_some(Value::Dictionary(limits))
}

fn document(value: &Value) -> String {
    let mut text = Draft::default();
    text.put(format_args!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n"
    ));
    put(&mut text, value, 0);
    text.line("</plist>");
    text.finish()
}

fn put(text: &mut Draft, value: &Value, depth: usize) {
    let blanks = "    ".repeat(depth);
    match value {
        Value::Text(value) => text.put(format_args!("{blanks}<string>{}</string>\n", value.xml())),
        Value::Integer(number) => text.put(format_args!("{blanks}<integer>{number}</integer>\n")),
        Value::True => text.put(format_args!("{blanks}<true/>\n")),
        Value::List(values) => {
            text.put(format_args!("{blanks}<array>\n"));
            for value in values {
                put(text, value, depth + 1);
            }
            text.put(format_args!("{blanks}</array>\n"));
        }
        Value::Dictionary(entries) => {
            text.put(format_args!("{blanks}<dict>\n"));
            for (key, value) in entries {
                text.put(format_args!("{blanks}    <key>{}</key>\n", key.xml()));
                put(text, value, depth + 1);
            }
            text.put(format_args!("{blanks}</dict>\n"));
        }
    }
}
