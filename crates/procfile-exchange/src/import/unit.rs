//! The settings of systemd's units, as they stand in a file, or in several files one behind the other.

use crate::import::error::ImportError;

/// The name of a unit and its settings.
pub(crate) struct Unit {
    pub(crate) name: String,
    settings: Vec<(String, String)>,
}

impl Unit {
    /// The values of a key, in the order of the file. An empty value removes those before it, as in systemd.
    pub(crate) fn all(&self, key: &str) -> Vec<&str> {
        let mut values: Vec<&str> = Vec::new();
        for (_, value) in self.settings.iter().filter(|(name, _)| name == key) {
            if value.is_empty() { values.clear() } else { values.push(value) }
        }
        values
    }

    /// The keys of all settings, in the order of the file.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        self.settings.iter().map(|(key, _)| key.as_str())
    }
}

/// The units of a text, without those that set nothing. `name` is the name of the file, which a unit has if no line above it names
/// another.
pub(crate) fn read_all(name: &str, text: &str) -> Result<Vec<Unit>, ImportError> {
    let own = if name.contains('.') { name.to_owned() } else { format!("{name}.service") };
    let mut units = vec![Unit { name: own, settings: Vec::new() }];
    let (mut section, mut open) = (String::new(), String::new());
    // The last line may end in a backslash: the empty line that is added here ends it.
    for (number, line) in (1..).zip(text.lines().chain([""])) {
        if let Some(path) = header(line) {
            let file = path.rsplit('/').next().unwrap_or(path);
            // A drop-in adds to the unit before it.
            if file.rsplit_once('.').is_none_or(|(_, extension)| extension != "conf") {
                units.push(Unit { name: file.to_owned(), settings: Vec::new() });
            }
            section.clear();
            open.clear();
            continue;
        }
        let line = line.trim();
        if line.starts_with(['#', ';']) || (line.is_empty() && open.is_empty()) {
            continue;
        }
        let backslashes = line.len() - line.trim_end_matches('\\').len();
        if let Some(begun) = line.strip_suffix('\\').filter(|_| backslashes % 2 == 1) {
            open.push_str(begun);
            open.push(' ');
            continue;
        }
        let line = std::mem::take(&mut open) + line;
        let line = line.trim();
        if let Some(header) = line.strip_prefix('[') {
            section = String::from(header.trim_end_matches(']'));
        } else if let (Some((key, value)), Some(unit)) = (line.split_once('='), units.last_mut()) {
            let key = key.trim();
            // systemd reads these in [Service] alone.
            let of_service = ["ExecStart", "Environment", "WorkingDirectory"].contains(&key);
            if section == "Service" || section == "Unit" && !of_service {
                unit.settings.push((key.to_owned(), value.trim().to_owned()));
            }
        } else {
            return Err(ImportError::Syntax("unit of systemd", format!("line {number} is none")));
        }
    }
    units.retain(|unit| !unit.settings.is_empty());
    Ok(units)
}

fn header(line: &str) -> Option<&str> {
    let listed = line.strip_prefix("==> ").and_then(|rest| rest.strip_suffix(" <=="));
    let cat = line.strip_prefix("# ").filter(|path| {
        let unit =
            [".service", ".target", ".conf", ".socket", ".timer"].iter().any(|end| path.ends_with(end));
        path.starts_with('/') && unit && !path.contains(' ')
    });
    listed.or(cat)
}
