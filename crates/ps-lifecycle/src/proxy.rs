//! `proxy`: shows or changes the address of an app and its options, without a deploy.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::{Context, Result};
use formation::{AppName, FIRST_TYPE, Which};
use ps_apps::{App, Error, PsProperty, Scope, World};
use ps_cli::Format;
use ps_cli::exit::Outcome;
use ps_cli::say;
use ps_rows::AddressRow;
use ps_scheduler::{Intent, Moved};

use crate::args::ProxyArgs;
use crate::session::Session;
use crate::{address, converge, elsewhere, interrupted, release, watch};

const VERB: &str = "proxy";

pub(crate) fn run(session: &Session, args: &ProxyArgs) -> Result<Outcome> {
    let app = session.world.app(&args.app)?;
    let changes = args.address.is_given()?;
    if changes {
        session.of_app(VERB, &app.name, || change(session, &app, args))?;
    }
    if !changes || args.format() != Format::Text {
        show(session, &app.name, args.format())?;
    }
    Ok(Outcome::Done)
}

fn change(session: &Session, app: &App, args: &ProxyArgs) -> Result<()> {
    let (world, name) = (&session.world, &app.name);
    elsewhere::refuse(world, name, "give an address")?;
    let _lock = session.lock(name)?;
    let asked = address::settled(session, name, (&args.address, None), &world.scheduler_name(name)?)?;
    if let Some(release) = release::deployed(world, name)? {
        address::refuse_without_web(&release, &asked.reached.listen)?;
    }
    interrupted::put_back(session, name)?;
    let before = Before::of(world, name, &asked.properties)?;
    let changed = before.replace(&asked.properties).and_then(|()| carry_out(session, app));
    if changed.is_err() {
        before.put_back();
    }
    changed
}

/// Applies the app's properties to its address.
fn carry_out(session: &Session, app: &App) -> Result<()> {
    let name = &app.name;
    let Some(release) = release::deployed(&session.world, name)? else {
        return session.fact(&format!("{name} is not deployed: this takes effect with its first deploy"));
    };
    match ps_schedulers::of(&session.world, name)?.reach(&release)? {
        Moved::Done => (),
        Moved::NeedsRollout => {
            session.step(&format!("{FIRST_TYPE} of {name} gets other ports: its instances are replaced"))?;
            let first = FIRST_TYPE.parse().expect("it is the name of a type");
            converge::carry_out(session, app, &Intent::Restart(Which::Type(first)))?;
        }
    }
    if release.listen.is_empty() {
        return session.detail(&format!("{name} is reached at the ports of its instances"));
    }
    watch::remind_of_clients(&session.world, &session.world.scheduler_name(name)?, &release);
    address::tell(session, &release)
}

/// The values of properties before a verb changed them.
struct Before<'a> {
    world: &'a World,
    app: &'a AppName,
    values: BTreeMap<String, Option<String>>,
}

impl<'a> Before<'a> {
    fn of(world: &'a World, app: &'a AppName, changed: &BTreeMap<String, String>) -> Result<Self> {
        let value = |name: &String| Ok((name.clone(), world.property("ps", Scope::App(app), name)?));
        let values = changed.keys().map(value).collect::<Result<_>>()?;
        Ok(Self { world, app, values })
    }

    fn replace(&self, values: &BTreeMap<String, String>) -> Result<()> {
        for (name, value) in values {
            let written = self.world.set_property("ps", Scope::App(self.app), name, value);
            written.with_context(|| format!("set {name} of {}", self.app))?;
        }
        Ok(())
    }

    /// Restores the earlier values after the change has failed. If that fails too, a warning is printed; the user gets
    /// the error of the change.
    fn put_back(self) {
        for (name, value) in &self.values {
            if let Err(error) = self.write(name, value.as_deref()) {
                say::warning(&format!("{name} of {} could not be put back: {error:#}", self.app));
            }
        }
    }

    fn write(&self, name: &str, value: Option<&str>) -> Result<(), Error> {
        let scope = Scope::App(self.app);
        match value {
            Some(value) => self.world.set_property("ps", scope, name, value),
            None => self.world.unset_property("ps", scope, name),
        }
    }
}

fn show(session: &Session, app: &AppName, format: Format) -> Result<()> {
    let world = &session.world;
    let in_force = ps_schedulers::of(world, app)?.reached(app)?;
    let stored = world.stored_properties("ps", Scope::App(app))?;
    let of_address = PsProperty::all().iter().filter(|property| property.is_of_address());
    let mut set = BTreeMap::new();
    for property in of_address {
        set.extend(stored.value(property.name)?.map(|value| (property.name, value)));
    }
    let rows = AddressRow::of(app.as_str(), &set, &in_force);
    let mut out = io::stdout().lock();
    match format {
        Format::Json => ps_rows::json_lines(&mut out, &rows)?,
        Format::Csv => ps_rows::address_csv(&mut out, &rows)?,
        Format::Text => text(&mut out, &rows)?,
    }
    Ok(out.flush()?)
}

fn text(out: &mut impl Write, rows: &[AddressRow<'_>]) -> io::Result<()> {
    let width = rows.iter().filter_map(|row| row.set.as_ref()).map(String::len).max().unwrap_or(0);
    let width = width.max("SET".len());
    writeln!(out, "{:<14}  {:<width$}  IN FORCE", "OPTION", "SET")?;
    for row in rows {
        let (set, in_force) = (row.set.as_deref().unwrap_or("-"), row.in_force.as_deref().unwrap_or("-"));
        writeln!(out, "{:<14}  {set:<width$}  {in_force}", row.option)?;
    }
    Ok(())
}
