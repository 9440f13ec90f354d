//! `boot`: makes the init system start the apps at boot. `boot-units` renders the files; this module writes, removes, shows
//! or compares them.

mod here;
mod init_system;
mod lie;
mod name;
mod packaged;
mod place;

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Result, bail};
use boot_units::{Content, Init, Installation, Piece, pieces};
use ps_apps::World;
use ps_cli::exit::Outcome;
use ps_cli::say;

use self::place::Place;
use crate::args::{BootArgs, BootVerb};
use crate::session::Session;

/// Has the init system bring the apps back, or no longer
pub(crate) fn run(session: &Session, args: &BootArgs) -> Result<Outcome> {
    let init = if let Some(init) = args.init {
        init
    } else {
        let (init, why) = here::init_system()?;
        say::step_aside(&format!("The init system here is {init}: {why}"));
        init
    };
    let place = Place { root: args.root.clone() };
    let installation = name::as_installed(&place, init, here::installation(&session.world, init, args)?);
    let pieces = packaged::without(&place, pieces(init, &installation)?);
    match args.what {
        BootVerb::Show => show(&pieces),
        BootVerb::Enable => enable(session, init, &place, &pieces, &installation),
        BootVerb::Disable => disable(session, init, &place, &pieces, &installation),
        BootVerb::Check => check(&place, &pieces),
    }
}

/// The differences between what is installed and what `enable` would write for the init system of this machine; empty if
/// there are none.
pub(crate) fn standing(world: &World) -> Result<(Init, Vec<String>)> {
    let (init, _) = here::init_system()?;
    let differences = |watch: bool| -> Result<Vec<String>> {
        let args = BootArgs { what: BootVerb::Check, init: Some(init), watch, user: None, root: None };
        let place = Place { root: None };
        let pieces = packaged::without(
            &place,
            pieces(init, &name::as_installed(&place, init, here::installation(world, init, &args)?))?,
        );
        Ok(pieces.iter().flat_map(|piece| lie::differences(&place, piece)).collect())
    };
    let without = differences(false)?;
    if without.is_empty() || init == Init::Sysv {
        return Ok((init, without));
    }
    let with = differences(true)?;
    Ok((init, if with.is_empty() { with } else { without }))
}

fn show(pieces: &[Piece]) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    for piece in pieces {
        match &piece.content {
            Content::Text { text, .. } => writeln!(out, "==> {} <==\n{text}", piece.path.display())?,
            Content::Link(to) | Content::NumberedLink(to) => {
                writeln!(out, "==> {} -> {} <==", piece.path.display(), to.display())?;
            }
        }
    }
    Ok(Outcome::Done)
}

fn enable(
    session: &Session,
    init: Init,
    place: &Place,
    pieces: &[Piece],
    installation: &Installation,
) -> Result<Outcome> {
    // If another program's file is at one of our paths, that is found before anything is written.
    for piece in pieces {
        if let Some(why) = lie::is_foreign(place, piece) {
            bail!("{why}: move it away");
        }
    }
    let mut has_changed = false;
    for piece in pieces {
        has_changed |= lie::put(place, piece)?;
    }
    if has_changed && place.is_here() {
        init_system::enabled(init, &installation.name);
    }
    let what = if has_changed { "come back" } else { "come back already" };
    session.fact(&format!("At boot the apps {what}, by {init}: {}", pieces[0].path.display()))?;
    if place.is_here() {
        init_system::hints(init, installation).iter().try_for_each(|hint| session.detail(hint))?;
    }
    Ok(Outcome::Done)
}

fn disable(
    session: &Session,
    init: Init,
    place: &Place,
    pieces: &[Piece],
    installation: &Installation,
) -> Result<Outcome> {
    let is_there = |piece: &&Piece| lie::found(place, piece).is_some();
    for service in [&installation.name_of_watch(), &installation.name] {
        let is_its = |piece: &&Piece| {
            piece.path.iter().any(|part| Path::new(part).file_stem() == Some(service.as_ref()))
        };
        if place.is_here() && pieces.iter().filter(is_its).any(|piece| is_there(&piece)) {
            init_system::before_disabled(init, service);
        }
    }
    let mut has_changed = false;
    // Links are removed first: if an error stops this, the remaining files have no effect at boot.
    for piece in pieces.iter().rev().filter(is_there) {
        if let Some(why) = lie::is_foreign(place, piece) {
            say::warning(&format!("{why}: it stays"));
            continue;
        }
        lie::remove(place, piece)?;
        has_changed = true;
    }
    if has_changed && place.is_here() {
        init_system::disabled(init, &installation.name);
    }
    let what = if has_changed { "no longer come" } else { "do not come" };
    session.fact(&format!("At boot the apps {what} back by {init}; what runs, runs on"))?;
    Ok(Outcome::Done)
}

fn check(place: &Place, pieces: &[Piece]) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    let mut differs = false;
    for piece in pieces {
        for difference in lie::differences(place, piece) {
            differs = true;
            writeln!(out, "{difference}")?;
        }
    }
    Ok(if differs { Outcome::No } else { Outcome::Done })
}
