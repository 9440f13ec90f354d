//! From files to rows. Only what is asked for is read, and the schedulers are asked once for all apps together.

use std::cell::RefCell;
use std::collections::BTreeMap;

use ps_apps::{AppName, Error, PsProperty, Scope, World};

use crate::flags::{self, OF_APPS, STATUS, Source};
use crate::row::{Row, UNKNOWN};
use crate::status::{self, Seen};
use crate::subjects::Subjects;

const PLUGIN: &str = "ps";

/// One row for each subject, with all values or only that of `flag`.
pub(crate) fn rows(world: &World, subjects: &Subjects, flag: Option<&str>) -> Vec<Row> {
    let reader = Reader { world, globals: RefCell::default() };
    match subjects {
        Subjects::Global => vec![reader.global(flag)],
        Subjects::Apps(apps) => {
            let mut seen = match flag {
                Some(flag) if !flags::needs_status(flag) => BTreeMap::new(),
                _ => status::ask(world, apps),
            };
            apps.iter().map(|app| reader.app(app, flag, seen.remove(app))).collect()
        }
    }
}

struct Reader<'a> {
    world: &'a World,
    /// Global properties, read once.
    globals: RefCell<BTreeMap<&'static str, String>>,
}

impl Reader<'_> {
    fn global(&self, flag: Option<&str>) -> Row {
        let mut row = Row::new(Scope::Global.as_str());
        for (name, source) in flags::of_global().filter(|(name, _)| flag.is_none_or(|flag| flag == *name)) {
            let value = match source {
                Source::Computed(key) => self.global_or_default(key),
                Source::Global(key) => self.global_property(key),
                _ => continue,
            };
            row.set(name, value);
        }
        row
    }

    fn app(&self, app: &AppName, flag: Option<&str>, seen: Option<Seen>) -> Row {
        let mut row = Row::new(app.as_str());
        for (name, source) in OF_APPS.iter().filter(|(name, _)| flag.is_none_or(|flag| flag == *name)) {
            match self.value(app, *source) {
                Some(value) => row.set(name, value),
                None => row.set(name, Ok(known(seen.as_ref(), *source))),
            }
        }
        if let Some(seen) = seen {
            row.has_unknown |= seen.is_unknown();
            seen.trouble.into_iter().for_each(|trouble| row.fail(trouble));
            for (slot, what) in seen.slots {
                row.values.insert(format!("{STATUS}{slot}"), what);
            }
        }
        if let Some(flag) = flag.filter(|flag| row.has_unknown && flag.starts_with(STATUS)) {
            row.values.entry(flag.to_owned()).or_insert_with(|| UNKNOWN.to_owned());
        }
        row
    }

    /// What files say; `None` where only a scheduler knows.
    fn value(&self, app: &AppName, source: Source) -> Option<Result<String, Error>> {
        let own = |key| self.property(Scope::App(app), key);
        Some(match source {
            Source::Processes | Source::Running => return None,
            Source::Deployed => status::is_deployed(self.world, app).map(|yes| yes.to_string()),
            Source::Restore => own("restore").map(|value| (value != "false").to_string()),
            Source::CanScale => self.world.can_scale(app).map(|yes| yes.to_string()),
            Source::Own(key) => own(key),
            Source::Computed(key) => own(key).and_then(|value| match &*value {
                "" => self.global_or_default(key),
                _ => Ok(value),
            }),
            Source::Global(key) => self.global_property(key),
        })
    }

    fn global_or_default(&self, key: &'static str) -> Result<String, Error> {
        let default = || PsProperty::named(key).and_then(|property| property.default).unwrap_or_default();
        let value = self.global_property(key)?;
        Ok(if value.is_empty() { default().to_owned() } else { value })
    }

    fn global_property(&self, key: &'static str) -> Result<String, Error> {
        if let Some(value) = self.globals.borrow().get(key) {
            return Ok(value.clone());
        }
        let value = self.property(Scope::Global, key)?;
        self.globals.borrow_mut().insert(key, value.clone());
        Ok(value)
    }

    fn property(&self, scope: Scope<'_>, key: &str) -> Result<String, Error> {
        Ok(self.world.property(PLUGIN, scope, key)?.unwrap_or_default())
    }
}

fn known(seen: Option<&Seen>, source: Source) -> String {
    match (seen, source) {
        (Some(seen), Source::Processes) => seen.processes.to_string(),
        (Some(seen), Source::Running) => seen.running.as_str().to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}
