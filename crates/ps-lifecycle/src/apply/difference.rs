//! The difference between an app as it is and as it is declared, type by type. The translated values are compared, not
//! the texts of files: a comment in a file changes nothing, and neither does the format of the file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use anyhow::Result;
use formation::{AppName, Formation, Milestone, ProcessType, Quantity};
use procfile::Procfile;
use ps_apps::{DeclarationRecord, ServiceRecord, World};
use ps_release::{Checkout, Counts, Process, Release};
use type_settings::Setting;

use super::merged::Merged;
use super::variables::Environment;
use crate::args::{Declared, DeployArgs};

/// The differences between an app and its declaration.
#[derive(Debug, Default)]
pub(super) struct Difference {
    app: String,
    is_new: bool,
    /// One line for each difference, sorted by type.
    rows: Vec<String>,
    /// The types whose instances are replaced, and new ones.
    changed: BTreeSet<ProcessType>,
    /// Whether a type ends, or the app's source is of another kind.
    is_other_release: bool,
    environment: Option<Vec<u8>>,
}

impl Difference {
    /// Compares what was checked out with the current app.
    pub(super) fn find(
        world: &World,
        app: &AppName,
        (checkout, args, merged): (&Checkout, &DeployArgs, &Merged),
        (environment, known): (Option<Environment>, &DeclarationRecord),
    ) -> Result<Self> {
        let (procfile, app_json) = (checkout.parsed()?, checkout.parsed_app_json()?);
        let assembled =
            ps_release::assemble(world, app, checkout.source.clone(), procfile.as_ref(), &app_json)?;
        let new = assembled.release;
        let is_there = world.is_app(app)? && ps_dokku::is_deployed(world, app)?;
        let old = if is_there { ps_release::deployed(world, app)?.map(|old| old.release) } else { None };
        let mut found = Self { app: app.to_string(), is_new: old.is_none(), ..Self::default() };
        found.whole_app(world, app, (checkout, args))?;
        found.variables(environment, (&new, known, merged));
        let formation = Counts::read(&args.scale, checkout, procfile.as_ref(), &app_json)?;
        let wanted = ps_release::runnable(&formation.apply(world, app)?.0, &new).formation;
        let has = match &old {
            Some(old) => ps_release::runnable(&world.formation(app)?, old).formation,
            None => Formation::new(),
        };
        let before = if is_there { world.source_record(app)?.services } else { BTreeMap::new() };
        for process in &new.processes {
            let name = &process.process_type;
            let count = |formation: &Formation| formation.get(name.as_str()).map_or(0, Quantity::get);
            let Some(earlier) = old.as_ref().and_then(|old| old.process(name)) else {
                let command =
                    process.command.as_deref().or(merged.shown.get(name.as_str()).map(String::as_str));
                let what = command.map_or_else(String::new, |command| format!(": {command}"));
                found.rows.push(format!("+ {name} ({}){what}", count(&wanted)));
                found.changed.insert(name.clone());
                continue;
            };
            found.one_type(earlier, process);
            if let (Some(before), Some(service)) =
                (before.get(name.as_str()), checkout.record.services.get(name.as_str()))
            {
                found.service(name, (before, service), (known, merged));
            }
            if count(&has) != count(&wanted) {
                found.rows.push(format!("~ {name}: count: {} becomes {}", count(&has), count(&wanted)));
            }
        }
        for process in old.iter().flat_map(|old| &old.processes) {
            if new.process(&process.process_type).is_none() {
                found.rows.push(format!("- {}", process.process_type));
                found.is_other_release = true;
            }
        }
        found.with_what_goes_before(&new);
        Ok(found)
    }

    /// Compares variables. A variable that was declared for some types changes only these, although all types can see it.
    fn variables(
        &mut self,
        environment: Option<Environment>,
        (new, known, merged): (&Release, &DeclarationRecord, &Merged),
    ) {
        let Some(Environment { bytes, differing }) = environment else { return };
        self.rows.push(format!("~ variables: {}", differing.join(", ")));
        self.environment = Some(bytes);
        for name in &differing {
            let of = merged.types_of_variable(known, name);
            let is_meant = |name: &&ProcessType| of.as_ref().is_none_or(|of| of.contains(*name));
            let types = new.processes.iter().map(|process| &process.process_type);
            let is_asked = |name: &&ProcessType| merged.only.is_empty() || merged.only.contains(*name);
            self.changed.extend(types.filter(is_meant).filter(is_asked).cloned());
        }
    }

    /// Compares what concerns all types: the kind of source, the directory and the scheduler.
    fn whole_app(
        &mut self,
        world: &World,
        app: &AppName,
        (checkout, args): (&Checkout, &DeployArgs),
    ) -> Result<()> {
        let all = || -> Result<BTreeSet<ProcessType>> {
            let services = checkout.record.services.keys().filter_map(|name| name.parse().ok());
            let entries = checkout.parsed()?;
            let entries = entries.iter().flat_map(Procfile::entries);
            Ok(entries.map(|entry| entry.process_type()).chain(services).collect())
        };
        if let Some((kind, place)) = world.deploy_source(app)? {
            let (new_kind, new_place) = checkout.place();
            if kind != new_kind {
                self.rows.push(format!("~ source: {kind} becomes {new_kind}"));
                self.is_other_release = true;
            }
            if place != new_place {
                self.rows.push(format!("~ directory: {place} becomes {new_place}"));
                self.changed.extend(all()?);
            }
            let (scheduler, wanted) = (world.scheduler_name(app)?, args.scheduler.as_deref());
            if wanted.is_some_and(|wanted| wanted != scheduler.as_str()) {
                self.rows.push(format!("~ scheduler: {scheduler} becomes {}", wanted.unwrap_or_default()));
                self.changed.extend(all()?);
            }
        }
        Ok(())
    }

    fn one_type(&mut self, old: &Process, new: &Process) {
        if old == new {
            return;
        }
        let name = &new.process_type;
        self.changed.insert(name.clone());
        let mut row = |what: &str, before: Option<&str>, after: Option<&str>| {
            let word = |value: Option<&str>| {
                value.map_or_else(|| "nothing".to_owned(), |value| format!("{value:?}"))
            };
            self.rows.push(format!("~ {name}: {what}: {} becomes {}", word(before), word(after)));
        };
        if old.command != new.command {
            row("command", old.command.as_deref(), new.command.as_deref());
        }
        for setting in Setting::all() {
            let (before, after) = (setting.text(&old.settings), setting.text(&new.settings));
            if before != after {
                row(setting.name, before.as_deref(), after.as_deref());
            }
        }
        let rest = [
            ("checks", old.checks != new.checks),
            ("strategy", old.strategy != new.strategy),
            ("max_parallel", old.max_parallel != new.max_parallel),
        ];
        for (what, _) in rest.into_iter().filter(|(_, differs)| *differs) {
            self.rows.push(format!("~ {name}: {what}"));
        }
    }

    /// Compares a service of a Compose file: its image by the name in the file, and the description of its containers. Values are not
    /// printed.
    fn service(
        &mut self,
        name: &ProcessType,
        (old, new): (&ServiceRecord, &ServiceRecord),
        (known, merged): (&DeclarationRecord, &Merged),
    ) {
        let image = |images: &BTreeMap<String, String>| images.get(name.as_str()).cloned();
        let (before, after) = (image(&known.images), image(&merged.images));
        if before.is_some() && before != after {
            let word = |image: Option<String>| image.unwrap_or_default();
            self.rows.push(format!("~ {name}: image: {} becomes {}", word(before), word(after)));
            self.changed.insert(name.clone());
        }
        let empty = serde_json::Map::new();
        let (before, after) =
            (old.container.as_object().unwrap_or(&empty), new.container.as_object().unwrap_or(&empty));
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        let differing: Vec<&str> =
            keys.into_iter().filter(|key| before.get(*key) != after.get(*key)).map(String::as_str).collect();
        if !differing.is_empty() || old.port != new.port {
            let port = (old.port != new.port).then_some("port");
            let what: Vec<&str> = differing.into_iter().chain(port).collect();
            self.rows.push(format!("~ {name}: container: {}", what.join(", ")));
            self.changed.insert(name.clone());
        }
    }

    /// Adds services whose image has changed although the file names it as before.
    pub(super) fn settle_images(&mut self, world: &World, app: &AppName, checkout: &Checkout) -> Result<()> {
        if self.is_new {
            return Ok(());
        }
        let before = world.source_record(app)?.services;
        for (name, service) in &checkout.record.services {
            let differs = before.get(name).is_some_and(|before| before.image != service.image);
            let process_type: ProcessType = name.parse()?;
            if differs && self.changed.insert(process_type) {
                self.rows.push(format!("~ {name}: image: built or pulled again"));
            }
        }
        Ok(())
    }

    /// If a changed type waits until another type is done, that type runs again too.
    fn with_what_goes_before(&mut self, release: &Release) {
        let order = release.order();
        let mut left: Vec<ProcessType> = self.changed.iter().cloned().collect();
        while let Some(process_type) = left.pop() {
            for wait in order.waits(&process_type) {
                if wait.milestone == Milestone::Done && self.changed.insert(wait.process_type.clone()) {
                    self.rows.push(format!("~ {}: runs again before {process_type}", wait.process_type));
                    left.push(wait.process_type.clone());
                }
            }
        }
    }

    /// Whether nothing differs.
    pub(super) fn is_none(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether more than counts differs.
    pub(super) fn touches_release(&self) -> bool {
        self.is_new || self.is_other_release || !self.changed.is_empty() || self.environment.is_some()
    }

    /// The changed types and variables, for the deploy.
    pub(super) fn declared(&self) -> Declared {
        Declared { changed: self.changed.clone(), environment: self.environment.clone() }
    }

    /// A line for each difference: `+` is new, `~` has changed, `-` ends.
    pub(super) fn lines(&self) -> &[String] {
        &self.rows
    }

    /// Prints the lines below the name of the app; nothing if there is no difference.
    pub(super) fn print(&self) -> Result<()> {
        let mut out = io::stdout().lock();
        if !self.is_none() {
            writeln!(out, "{}{}", self.app, if self.is_new { " (new)" } else { "" })?;
        }
        for row in &self.rows {
            writeln!(out, "{row}")?;
        }
        Ok(out.flush()?)
    }
}
