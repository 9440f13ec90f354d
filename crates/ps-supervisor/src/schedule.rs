//! The schedules of a spec: for each type its times, and what is done if a time was missed or the previous run is still
//! running.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use durable::ReadError;
use formation::ProcessType;
use jiff::tz::TimeZone;
use timetable::{Timetable, ZoneName};
use type_settings::{Missed, Overlap, TypeSettings};

use crate::spec::Spec;

/// Where zones are described, each in a file of its name.
const ZONES: &str = "/usr/share/zoneinfo";
/// The zone of the machine.
const OF_MACHINE: &str = "/etc/localtime";
/// No description of a zone is nearly as large, in bytes.
const MAX_ZONE_BYTES: u64 = 64 << 10;
const UTC: &str = "UTC";

/// How a type runs by its schedule.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    /// When.
    pub(crate) timetable: Timetable,
    /// What happens to a run that is due while the one before it still runs.
    pub(crate) overlap: Overlap,
    /// What happens to times that were missed.
    pub(crate) missed: Missed,
}

/// The rules of all types that have a schedule, and what is wrong with the zones of some of them: these go by UTC.
pub(crate) fn rules(spec: &Spec) -> (BTreeMap<String, Rule>, Vec<(String, String)>) {
    let (mut rules, mut troubles) = (BTreeMap::new(), Vec::new());
    for process in &spec.processes {
        let Some((timetable, trouble)) = timetable(&process.settings) else { continue };
        troubles.extend(trouble.map(|trouble| (process.process_type.clone(), trouble)));
        let TypeSettings { schedule_overlap, schedule_missed, .. } = &process.settings;
        let rule = Rule {
            timetable,
            overlap: schedule_overlap.unwrap_or_default(),
            missed: schedule_missed.unwrap_or_default(),
        };
        rules.insert(process.process_type.clone(), rule);
    }
    (rules, troubles)
}

/// The timetable of a type with these settings, and what is wrong with its zone: then UTC is used. `None`: it has no
/// schedule.
pub fn timetable(settings: &TypeSettings) -> Option<(Timetable, Option<String>)> {
    let schedule = settings.schedule.clone()?;
    let ((zone, zone_name), trouble) = match zone(settings.schedule_zone.as_ref()) {
        Ok(known) => (known, None),
        Err(trouble) => {
            ((TimeZone::UTC, UTC.to_owned()), Some(format!("{trouble}: its schedule goes by UTC")))
        }
    };
    Some((Timetable { schedule, zone, zone_name }, trouble))
}

/// Whether this machine knows the time zone of a type's schedule.
///
/// # Errors
/// Why not, for people.
pub fn judge_schedule(spec: &Spec, process_type: &ProcessType) -> Result<(), String> {
    match spec.settings(process_type) {
        Some(settings) if settings.schedule.is_some() => zone(settings.schedule_zone.as_ref()).map(drop),
        Some(_) | None => Ok(()),
    }
}

/// A zone and its name; without a name the machine's.
fn zone(name: Option<&ZoneName>) -> Result<(TimeZone, String), String> {
    let Some(name) = name else { return of_machine() };
    if name.as_str() == UTC {
        return Ok((TimeZone::UTC, UTC.to_owned()));
    }
    let bytes = match durable::input(&Path::new(ZONES).join(name.as_str()), MAX_ZONE_BYTES) {
        Err(ReadError::Missing) if !Path::new(ZONES).is_dir() => {
            return Err(format!(
                "schedule-zone {name}: this machine has no time zones ({ZONES}): install tzdata, or use UTC"
            ));
        }
        Err(ReadError::Missing) => {
            return Err(format!("schedule-zone {name}: there is no such time zone in {ZONES}"));
        }
        read => read.map_err(|error| format!("schedule-zone {name}: {error}"))?,
    };
    let zone = TimeZone::tzif(name.as_str(), &bytes);
    zone.map(|zone| (zone, name.to_string())).map_err(|_| format!("schedule-zone {name} is no time zone"))
}

/// A machine that says nothing of its zone is in UTC.
fn of_machine() -> Result<(TimeZone, String), String> {
    let bytes = match durable::input(Path::new(OF_MACHINE), MAX_ZONE_BYTES) {
        Err(ReadError::Missing) => return Ok((TimeZone::UTC, UTC.to_owned())),
        read => read.map_err(|error| format!("{OF_MACHINE}: {error}"))?,
    };
    let link = fs::read_link(OF_MACHINE).ok().and_then(|path| path.into_os_string().into_string().ok());
    let name =
        link.as_deref().and_then(|path| path.split_once("zoneinfo/")).map_or(OF_MACHINE, |(_, name)| name);
    let zone = TimeZone::tzif(name, &bytes);
    zone.map(|zone| (zone, name.to_owned())).map_err(|_| format!("{OF_MACHINE} is no time zone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_is_one_that_this_machine_knows() {
        let of = |name: &str| zone(Some(&name.parse().expect("a name"))).map(|(_, name)| name);
        assert_eq!(of("UTC"), Ok("UTC".to_owned()));
        let said = of("Europe/Brelin").expect_err("there is none");
        assert!(said.starts_with("schedule-zone Europe/Brelin: "), "{said}");
        assert!(zone(None).is_ok(), "every machine is in some zone");
    }
}
