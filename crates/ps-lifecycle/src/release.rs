//! Passes what `ps-release` assembles on to the plan, and prints its remarks as warnings of this program.

use std::collections::BTreeSet;

use anyhow::Result;
use app_json::AppJson;
use formation::{AppName, Formation, ProcessType};
use procfile::Procfile;
use ps_apps::{StoredFormation, World};
use ps_cli::say;
use ps_release::{Assembled, Release, Runnable, Source};

/// The release that was deployed last; `None` if there was none.
pub(crate) fn deployed(world: &World, app: &AppName) -> Result<Option<Release>> {
    Ok(ps_release::deployed(world, app)?.map(said))
}

/// A release of `source` with these files and the app's properties and environment.
pub(crate) fn assemble(
    world: &World,
    app: &AppName,
    source: Source,
    procfile: Option<&Procfile>,
    app_json: &AppJson,
) -> Result<Release> {
    Ok(said(ps_release::assemble(world, app, source, procfile, app_json)?))
}

fn said(assembled: Assembled) -> Release {
    say_all(&assembled.warnings);
    assembled.release
}

/// The formation of a release: types that are not in the Procfile are left out, with a warning.
pub(crate) fn runnable(stored: &StoredFormation, release: &Release) -> Formation {
    without_skipped(ps_release::runnable(stored, release))
}

/// [`runnable`] for these known types; `None`: every type may run.
pub(crate) fn runnable_of(stored: &StoredFormation, known: Option<&BTreeSet<ProcessType>>) -> Formation {
    without_skipped(ps_release::runnable_of(stored, known))
}

fn without_skipped(runnable: Runnable) -> Formation {
    for process_type in runnable.skipped {
        say::warning(&format!("Skipping {process_type} as it is missing from the current Procfile"));
    }
    runnable.formation
}

/// Prints each line as a warning.
pub(crate) fn say_all(lines: &[impl AsRef<str>]) {
    for line in lines {
        say::warning(line.as_ref());
    }
}
