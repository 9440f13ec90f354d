//! What is exported: the instances of a formation, with their names, ports and environments.

use std::collections::BTreeMap;

use procfile::{Entry, EnvFile, Procfile, is_simple_command};

use crate::export::error::ExportError;
use crate::export::limits::Limit;
use crate::export::text::{AbsolutePath, Name, Text};

/// The most instances of one type that are exported.
pub const MAX_INSTANCES: u16 = 1000;
/// How many ports each type has before those of the next type begin.
const PORTS_PER_TYPE: u32 = 100;

/// What holds for every instance.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name of the app.
    pub app: Name,
    /// The user that the processes run as.
    pub user: Name,
    /// The group that they run as.
    pub group: Name,
    /// A description of all units; each has its own if there is none.
    pub description: Option<Text>,
    /// The image, for containers.
    pub image: Text,
    /// The home directory, for user units.
    pub home: AbsolutePath,
    /// The directory of the logs.
    pub log_path: AbsolutePath,
    /// The directory of files with process ids.
    pub run_path: AbsolutePath,
    /// The directory in which commands start.
    pub working_directory: AbsolutePath,
    /// Resource limits.
    pub limits: Vec<Limit>,
    /// The nice value, -20 to 19.
    pub nice: Option<i8>,
    /// A command to be run before each start.
    pub prestart: Option<Text>,
    /// Seconds between SIGTERM and SIGKILL.
    pub timeout: u32,
}

/// One instance of a process type.
#[derive(Clone, Debug)]
pub struct Instance {
    /// The process type.
    pub process_type: String,
    /// Its number, from 1.
    pub number: u16,
    /// Its port.
    pub port: u16,
    /// Its command line.
    pub command: Text,
    /// The variables of the env file, sorted; each a legal shell name.
    pub variables: BTreeMap<String, Text>,
}

/// Everything that is exported.
#[derive(Clone, Debug)]
pub struct Job {
    /// What holds for every instance.
    pub settings: Settings,
    /// The instances, by type, then by number.
    pub instances: Vec<Instance>,
}

impl Job {
    /// Makes as many instances of each type as `count` says. Ports begin at `base_port`, and each type has 100 of them, in the order of
    /// the names; a type of which no instance is wanted keeps its 100. For example, with `base_port` 5000, `clock.1` has the port
    /// 5000, `web.1` 5100 and `web.2` 5101.
    pub fn new(
        settings: Settings,
        procfile: &Procfile,
        env: &EnvFile,
        base_port: i64,
        count: impl Fn(&str) -> u16,
    ) -> Result<Self, ExportError> {
        refuse_odd_image(&settings.image)?;
        let variables = variables(env)?;
        let mut instances: Vec<Instance> = Vec::new();
        for (index, entry) in (0_u32..).zip(procfile.sorted()) {
            let what = format!("the command of {}", entry.name);
            let count = count(entry.name);
            for number in 1..=count {
                instances.push(Instance {
                    process_type: entry.name.to_owned(),
                    number,
                    port: port(base_port, index, number, &entry)?,
                    command: Text::new(&what, entry.command)?,
                    variables: variables.clone(),
                });
            }
        }
        refuse_shared_ports(&instances)?;
        Ok(Self { settings, instances })
    }

    /// How many instances of a type there are.
    pub(crate) fn count(&self, process_type: &str) -> u64 {
        self.instances.iter().filter(|instance| instance.process_type == process_type).count() as u64
    }

    /// The name with dashes, `app-web-1`.
    pub(crate) fn dashed(&self, instance: &Instance) -> String {
        format!("{}-{}-{}", self.settings.app, instance.process_type, instance.number)
    }

    /// The name with a dot, `app-web.1`: the value of `PS`.
    pub(crate) fn dotted(&self, instance: &Instance) -> String {
        format!("{}-{}.{}", self.settings.app, instance.process_type, instance.number)
    }

    /// One line on what an instance is.
    pub(crate) fn description(&self, instance: &Instance) -> Text {
        self.settings.description.clone().unwrap_or_else(|| {
            plain(&format!("{}.{} process for {}", instance.process_type, instance.number, self.settings.app))
        })
    }

    /// The variables of an instance: `PORT` and `PS`, unless the env file has them, then those of the env file.
    pub(crate) fn environment(instance: &Instance, ps: &str) -> Vec<(String, Text)> {
        let own = [("PORT", plain(&instance.port.to_string())), ("PS", plain(ps))];
        let chosen = |(name, own): (&str, Text)| {
            (name.to_owned(), instance.variables.get(name).cloned().unwrap_or(own))
        };
        let rest = instance.variables.iter().filter(|(name, _)| *name != "PORT" && *name != "PS");
        own.map(chosen).into_iter().chain(rest.map(|(name, value)| (name.clone(), value.clone()))).collect()
    }

    /// The path of a log.
    pub(crate) fn log(&self, instance: &Instance, stream: &str) -> Text {
        self.settings.log_path.join(&format!("{}-{stream}.log", self.dashed(instance)))
    }
}

impl Instance {
    /// Whether the command is one simple command, so that the shell may `exec` it.
    pub(crate) fn is_simple(&self) -> bool {
        is_simple_command(self.command.as_str().as_bytes())
    }

    /// The command as a script for a shell, with `exec` in front if it is one simple command.
    pub(crate) fn script(&self) -> Text {
        if self.is_simple() { plain(&format!("exec {}", self.command)) } else { self.command.clone() }
    }
}

/// A text that is put together from parts, each of which was checked when it was made.
pub(crate) fn plain(text: &str) -> Text {
    Text::new("text of our own", text.as_bytes()).expect("parts that are legal make a legal text")
}

fn port(base: i64, index: u32, number: u16, entry: &Entry<'_>) -> Result<u16, ExportError> {
    let port = base.saturating_add(i64::from(index * PORTS_PER_TYPE) + i64::from(number) - 1);
    u16::try_from(port)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| ExportError::Port { instance: format!("{}.{number}", entry.name), port })
}

/// Refuses an image with a blank or a backslash in its name. No image has one, and in a unit a backslash could join the next line
/// to this one.
fn refuse_odd_image(image: &Text) -> Result<(), ExportError> {
    if image.as_str().contains(|c: char| c.is_whitespace() || c == '\\') {
        let why = "holds a blank or a backslash".to_owned();
        return Err(ExportError::Value { what: "the image".to_owned(), why });
    }
    Ok(())
}

fn refuse_shared_ports(instances: &[Instance]) -> Result<(), ExportError> {
    let mut owners = BTreeMap::new();
    for instance in instances {
        if let Some(other) = owners.insert(instance.port, instance) {
            let name = |of: &Instance| format!("{}.{}", of.process_type, of.number);
            return Err(ExportError::SharedPort {
                port: instance.port,
                one: name(other),
                other: name(instance),
            });
        }
    }
    Ok(())
}

fn variables(env: &EnvFile) -> Result<BTreeMap<String, Text>, ExportError> {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    let legal = |name: &str| {
        name.bytes().next().is_some_and(letter)
            && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
    };
    let mut variables = BTreeMap::new();
    for ((name, _), (_, value)) in env.iter().zip(env.iter_bytes()) {
        if !legal(name) {
            return Err(ExportError::Variable(name.to_owned()));
        }
        variables.insert(name.to_owned(), Text::new(&format!("variable {name}"), value)?);
    }
    Ok(variables)
}
