//! Reads the rows of a report. Only values that are asked for are read, and each scheduler is asked once for all apps
//! together.

use std::cell::RefCell;

use anyhow::Result;
use formation::{AppName, Formation};
use ps_apps::{Error, PsProperty, Scope, StoredProperties, World};
use ps_scheduler_native::Native;

use crate::flags::{self, FlagOrigin, OF_APPS, STATUS};
use crate::parallel;
use crate::row::{Row, UNKNOWN};
use crate::status::{self, Questions, Seen};
use crate::subjects::Subjects;
use crate::wanted;

const PLUGIN: &str = "ps";
const AT_ONCE: usize = 256;
/// How many rows are made, at most, before the schedulers have answered. Until then no row is printed, so all of them
/// are kept in memory.
const AHEAD: usize = 4096;

/// Passes on each row, in the form that `render` writes, as soon as it is read: one for each subject, with all
/// values or only that of `flag`.
pub(crate) fn each<T: Send>(
    world: &World,
    subjects: &Subjects,
    flag: Option<&str>,
    render: impl Fn(Row) -> T + Sync,
    visit: &mut dyn FnMut(T) -> Result<()>,
) -> Result<()> {
    let reader =
        || Reader { world, globals: Properties::new(world, Scope::Global), native: native_of(world) };
    let Subjects::Apps(apps) = subjects else { return visit(render(reader().global(flag))) };
    let mut questions = match flag {
        Some(flag) if !flags::needs_status(flag) => Questions::none(apps.len()),
        _ => Questions::about(world, apps),
    };
    let are_native = std::mem::take(&mut questions.are_native);
    let native_row = |reader: &Reader<'_>, app: &AppName| {
        render(reader.app(app, flag, Some(status::native(&reader.native, app))))
    };
    let ahead = if questions.are_asked() { AHEAD } else { 0 };
    let natives = apps.iter().zip(&are_native).take(ahead).filter(|(_, is_native)| **is_native);
    let natives = natives.map(|(app, _)| app).collect();
    let (mut seen, read) = parallel::map_beside(natives, reader, native_row, || questions.answers(world));
    // The rows of the first native apps, in the order in which they are wanted.
    let mut read = read.into_iter();
    // The apps are read in portions, so that a very long report is printed while it is read, and is never in memory
    // as a whole.
    for (apps, are_native) in apps.chunks(AT_ONCE).zip(are_native.chunks(AT_ONCE)) {
        let wanted = apps.iter().zip(are_native).map(|(app, is_native)| {
            if *is_native { Wanted::Native(app, read.next()) } else { Wanted::Other(app, seen.remove(app)) }
        });
        let row = |reader: &Reader<'_>, wanted| match wanted {
            Wanted::Native(_, Some(row)) => row,
            Wanted::Native(app, None) => native_row(reader, app),
            Wanted::Other(app, seen) => render(reader.app(app, flag, seen)),
        };
        let rows = parallel::map_with(wanted.collect(), reader, row);
        rows.into_iter().try_for_each(&mut *visit)?;
    }
    Ok(())
}

/// What a row is made from.
enum Wanted<'a, T> {
    /// A native app, read from files. The row may have been made already while the engine was waited for.
    Native(&'a AppName, Option<T>),
    /// Any other app, with the answer about it, if somebody was asked.
    Other(&'a AppName, Option<Seen>),
}

/// The native scheduler, without measuring CPU and memory.
fn native_of(world: &World) -> Native {
    Native::new(world).without_usage()
}

/// The ps properties of one scope. Each is read when it is asked for the first time.
struct Properties<'a> {
    world: &'a World,
    scope: Scope<'a>,
    /// The stored properties; `None` if only few are needed, or if they cannot be listed.
    stored: Option<StoredProperties>,
    read: RefCell<Vec<(&'static str, Option<String>)>>,
}

impl<'a> Properties<'a> {
    fn new(world: &'a World, scope: Scope<'a>) -> Self {
        Self { world, scope, stored: None, read: RefCell::default() }
    }

    /// As [`Properties::new`], for a caller that needs nearly all properties.
    fn listed(world: &'a World, scope: Scope<'a>) -> Self {
        Self { stored: world.stored_properties(PLUGIN, scope).ok(), ..Self::new(world, scope) }
    }

    /// The value of a property; empty if it is not set.
    fn get(&self, key: &'static str) -> Result<String, Error> {
        self.stored(key).map(Option::unwrap_or_default)
    }

    /// The formation in these properties of an app.
    fn wanted_formation(&self, app: &AppName) -> Result<Formation, Error> {
        match &self.stored {
            Some(stored) => stored.wanted_formation(),
            None => Ok(self.world.formation(app)?.wanted()),
        }
    }

    fn stored(&self, key: &'static str) -> Result<Option<String>, Error> {
        let mut read = self.read.borrow_mut();
        if let Some((_, value)) = read.iter().find(|(known, _)| *known == key) {
            return Ok(value.clone());
        }
        let value = match &self.stored {
            Some(stored) => stored.value(key)?,
            None => self.world.property(PLUGIN, self.scope, key)?,
        };
        read.push((key, value.clone()));
        Ok(value)
    }
}

struct Reader<'a> {
    world: &'a World,
    globals: Properties<'a>,
    native: Native,
}

impl Reader<'_> {
    fn global(&self, flag: Option<&str>) -> Row {
        let mut row = Row::new(Scope::Global.as_str());
        for (name, origin) in flags::of_global().filter(|(name, _)| flag.is_none_or(|flag| flag == *name)) {
            let value = match origin {
                FlagOrigin::Computed(key) => self.global_or_default(key),
                FlagOrigin::Global(key) => self.globals.get(key),
                _ => continue,
            };
            row.set(name, value);
        }
        row
    }

    fn app(&self, app: &AppName, flag: Option<&str>, seen: Option<Seen>) -> Row {
        let mut row = Row::new(app.as_str());
        let scope = Scope::App(app);
        let own = match flag {
            None => Properties::listed(self.world, scope),
            Some(_) => Properties::new(self.world, scope),
        };
        for (name, origin) in OF_APPS.iter().filter(|(name, _)| flag.is_none_or(|flag| flag == *name)) {
            match (self.value(&own, *origin), origin) {
                (Some(value), _) => row.set(name, value),
                (None, FlagOrigin::Deployed) => {
                    row.set(name, ps_dokku::is_deployed(self.world, app).map(|yes| yes.to_string()));
                }
                (None, _) => row.set(name, Ok::<_, Error>(known(seen.as_ref(), *origin))),
            }
        }
        self.set_address(&own, flag, &mut row);
        if let Some(seen) = seen {
            row.has_unknown |= seen.is_unknown();
            if flag.is_none() {
                self.compare(&seen, || own.wanted_formation(app), &mut row);
            }
            seen.trouble.into_iter().for_each(|trouble| row.fail(trouble));
            for slot in seen.slots.into_iter().filter(|slot| !slot.is_unnumbered) {
                row.values.insert(format!("{STATUS}{}", slot.name).into(), slot.what);
            }
        }
        if let Some(flag) = flag.filter(|flag| row.has_unknown && flag.starts_with(STATUS)) {
            row.values.entry(flag.to_owned().into()).or_insert_with(|| UNKNOWN.to_owned());
        }
        row
    }

    /// Adds the row for the app's address. An app without an address has no such row, unless it was the only one
    /// asked for.
    fn set_address(&self, own: &Properties<'_>, flag: Option<&str>, row: &mut Row) {
        if self.world.inside_dokku() || flag.is_some_and(|flag| flag != flags::LISTEN) {
            return;
        }
        let stored = own.get(ps_apps::LISTEN);
        if flag.is_some() || stored.as_ref().map_or(true, |value| !value.is_empty()) {
            row.set(flags::LISTEN, stored);
        }
    }

    fn compare(&self, seen: &Seen, wanted: impl FnOnce() -> Result<Formation, Error>, row: &mut Row) {
        let value = |flag| row.values.get(flag).map_or("", String::as_str);
        let is_wanted = value("--deployed") == "true" && value("--restore") != "false";
        // Dokku's report has no place for differences, and its output must stay the same byte for byte.
        if self.world.inside_dokku() || !is_wanted {
            return;
        }
        match wanted::gaps(seen, wanted) {
            Ok(gaps) => row.gaps = gaps,
            Err(error) => row.fail(error.to_string()),
        }
    }

    /// The value if files alone determine it; `None` if a scheduler may have to be asked.
    fn value(&self, own: &Properties<'_>, origin: FlagOrigin) -> Option<Result<String, Error>> {
        Some(match origin {
            FlagOrigin::Processes | FlagOrigin::Running | FlagOrigin::Deployed => return None,
            // As it is stored: an empty value is shown as empty.
            FlagOrigin::Restore => {
                own.stored("restore").map(|value| value.unwrap_or_else(|| "true".to_owned()))
            }
            FlagOrigin::CanScale => {
                own.stored("can-scale").map(|value| ps_apps::may_be_scaled(value.as_deref()).to_string())
            }
            FlagOrigin::Own(key) => own.get(key),
            FlagOrigin::Computed(key) => own.get(key).and_then(|value| match &*value {
                "" => self.global_or_default(key),
                _ => Ok(value),
            }),
            FlagOrigin::Global(key) => self.globals.get(key),
        })
    }

    fn global_or_default(&self, key: &'static str) -> Result<String, Error> {
        let default = || PsProperty::named(key).and_then(|property| property.default).unwrap_or_default();
        let value = self.globals.get(key)?;
        Ok(if value.is_empty() { default().to_owned() } else { value })
    }
}

fn known(seen: Option<&Seen>, origin: FlagOrigin) -> String {
    match (seen, origin) {
        (Some(seen), FlagOrigin::Processes) => seen.processes.to_string(),
        (Some(seen), FlagOrigin::Running) => seen.running.as_str().to_owned(),
        _ => UNKNOWN.to_owned(),
    }
}
