//! One thing to export: a command and all that can be said about it, hostile or plain.

use procfile::{EnvFile, Procfile, is_simple_command};
use procfile_exchange::export::{AbsolutePath, ExportError, Job, Name, Settings, Text};

/// The names that variables are given, in this order; some are an exporter's own.
const NAMES: [&str; 8] = ["A", "PORT", "B1", "IFS", "command", "PS", "name", "ENVDIR"];

/// The marks of the variables' values.
const VALUE_MARKS: [&str; 8] = ["xV0x", "xV1x", "xV2x", "xV3x", "xV4x", "xV5x", "xV6x", "xV7x"];

/// What stands in a plain case, and in a hostile one the value in its place.
pub type Marks<'a> = Vec<(&'static str, &'a str)>;

/// What is to be exported.
#[derive(Clone, Debug)]
pub struct Case {
    /// As it stands in the Procfile.
    pub command: String,
    /// A command before each start.
    pub prestart: Option<String>,
    /// A description of all units.
    pub description: Option<String>,
    /// Where commands start, without the first `/`.
    pub directory: String,
    /// Where logs go, without the first `/`.
    pub logs: String,
    /// A container's image.
    pub image: String,
    /// The variables' values, eight at most.
    pub values: Vec<String>,
    /// The number of instances.
    pub count: u16,
}

impl Case {
    /// A case from any bytes: a byte of choices, then parts that end in a NUL. Most are made legal, because what is
    /// refused tests little.
    pub fn of(data: &[u8]) -> Option<Self> {
        let (first, rest) = data.split_first()?;
        let raw = first & 0xc0 == 0xc0;
        let mut parts = rest.split(|byte| *byte == 0).map(|part| {
            let text = String::from_utf8_lossy(part);
            if raw { text.into_owned() } else { text.chars().map(legal).collect() }
        });
        let mut path = |is_there: bool| {
            let text = if is_there { parts.next().unwrap_or_default() } else { "srv/app".to_owned() };
            let text = if raw { text } else { text.replace(['\n', '\r', '\t'], "_").replace("..", "__") };
            // A path that ends in / is joined without a second one.
            if raw && !text.is_empty() && !text.ends_with('/') { text } else { text + "_" }
        };
        let (directory, logs) = (path(first & 1 != 0), path(first & 2 != 0));
        // A line end would begin another type.
        let command = parts.next()?.replace(['\n', '\r'], " ");
        let command = if command.trim().is_empty() { "true".to_owned() } else { command };
        let prestart = (first & 4 != 0).then(|| parts.next()).flatten();
        let description = (first & 8 != 0).then(|| parts.next()).flatten();
        let image = if first & 16 != 0 { parts.next()? } else { "image".to_owned() };
        let image = if raw { image } else { image.replace(|c: char| c.is_whitespace() || c == '\\', "_") };
        let count = if first & 32 != 0 { 2 } else { 1 };
        let values = parts.take(NAMES.len()).collect();
        Some(Self { command, prestart, description, directory, logs, image, values, count })
    }

    /// What is written in the places of the plain case's marks.
    pub fn marks(&self) -> Marks<'_> {
        let mut marks: Marks<'_> = vec![
            (self.command_mark(), &self.command),
            ("xDIRECTORYx", &self.directory),
            ("xLOGSx", &self.logs),
            ("xIMAGEx", &self.image),
        ];
        marks.extend(self.prestart.as_deref().map(|value| ("xPRESTARTx", value)));
        marks.extend(self.description.as_deref().map(|value| ("xDESCRIPTIONx", value)));
        marks.extend(VALUE_MARKS.into_iter().zip(self.values.iter().map(String::as_str)));
        marks
    }

    /// The plain case that has the same shape: what is said of it, with other values in the places of the marks, must
    /// be what is said of this one.
    pub fn twin(&self) -> Self {
        Self {
            command: self.command_mark().to_owned(),
            prestart: self.prestart.as_ref().map(|_| "xPRESTARTx".to_owned()),
            description: self.description.as_ref().map(|_| "xDESCRIPTIONx".to_owned()),
            directory: "xDIRECTORYx".to_owned(),
            logs: "xLOGSx".to_owned(),
            image: "xIMAGEx".to_owned(),
            values: VALUE_MARKS.iter().take(self.values.len()).map(|mark| (*mark).to_owned()).collect(),
            count: self.count,
        }
    }

    fn command_mark(&self) -> &'static str {
        if is_simple_command(&self.command) { "xCOMMANDx" } else { "xCOMMANDx;" }
    }

    /// Takes the command as the Procfile's reader gives it; nothing where the reader finds none.
    pub fn read_back(&mut self) -> Option<(Procfile, EnvFile)> {
        let file = Procfile::parse(format!("web: {}\n", self.command).as_bytes()).ok()?;
        self.command = String::from_utf8(file.get("web")?.command.to_vec()).ok()?;
        let lines = NAMES.iter().zip(&self.values).map(|(name, value)| format!("{name}={}\n", quoted(value)));
        let env = EnvFile::parse(lines.collect::<String>().as_bytes()).ok()?;
        // What the env file says is what counts; its own reader is another target's business.
        self.values =
            NAMES.iter().take(self.values.len()).map_while(|name| env.get(name).map(str::to_owned)).collect();
        Some((file, env))
    }

    /// The job of what was read back.
    pub fn job(&self, file: &Procfile, env: &EnvFile) -> Result<Job, ExportError> {
        let text = |text: &str| Text::new("text", text.as_bytes());
        let path = |path: &str| AbsolutePath::new("path", format!("/{path}").as_bytes());
        let settings = Settings {
            app: Name::new("app", "app")?,
            user: Name::new("user", "user")?,
            group: Name::new("group", "group")?,
            description: self.description.as_deref().map(text).transpose()?,
            image: text(&self.image)?,
            home: path("home/me")?,
            log_path: path(&self.logs)?,
            run_path: path(&self.directory)?,
            working_directory: path(&self.directory)?,
            limits: Vec::new(),
            nice: None,
            prestart: self.prestart.as_deref().map(text).transpose()?,
            timeout: 5,
        };
        Job::new(settings, file, env, 5000, |_| self.count)
    }
}

fn legal(c: char) -> char {
    if c.is_control() && !matches!(c, '\n' | '\r' | '\t') { '_' } else { c }
}

/// A value as an env file holds it, as far as it can.
fn quoted(value: &str) -> String {
    if !value.contains(['\'', '\\']) {
        return format!("'{value}'");
    }
    let mut quoted = String::from("\"");
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted + "\""
}
