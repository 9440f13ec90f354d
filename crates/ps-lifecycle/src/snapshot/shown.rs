//! Lists snapshots and their content as rows.

use std::io::{self, Write};

use anyhow::Result;
use ps_apps::{SavedApp, Snapshot, World};
use ps_cli::exit::Outcome;
use ps_cli::say;
use serde_json::{Value, json};

/// Lists the snapshots. If one cannot be read, a warning names it.
pub(super) fn list(world: &World, as_json: bool) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    if !as_json {
        writeln!(out, "{:<24}  {:<24}  APPS", "NAME", "SAVED")?;
    }
    let mut outcome = Outcome::Done;
    for name in world.snapshots()? {
        let snapshot = match world.snapshot(&name) {
            Ok(Some(snapshot)) => snapshot,
            Ok(None) => continue,
            Err(error) => {
                say::warning(&error.to_string());
                outcome = Outcome::No;
                continue;
            }
        };
        let (name, at) = (name.to_string(), format!("{:.3}", snapshot.at));
        let apps: Vec<&str> = snapshot.apps.iter().map(|saved| saved.app.as_str()).collect();
        if as_json {
            writeln!(out, "{}", json!({"name": name, "at": at, "apps": apps}))?;
        } else {
            writeln!(out, "{name:<24}  {at:<24}  {}", apps.join(" "))?;
        }
    }
    out.flush()?;
    Ok(outcome)
}

/// Lists the apps of a snapshot.
pub(super) fn show(snapshot: &Snapshot, as_json: bool) -> Result<Outcome> {
    let mut out = io::stdout().lock();
    if !as_json {
        writeln!(out, "{:<24}  {:<7}  {:>7}  FORMATION", "APP", "WANTED", "RELEASE")?;
    }
    for saved in &snapshot.apps {
        if as_json {
            writeln!(out, "{}", row(saved))?;
            continue;
        }
        let counts: Vec<String> =
            saved.deployed.scale.iter().map(|entry| format!("{}={}", entry.name, entry.count)).collect();
        let stopped: Vec<String> = saved.stopped.iter().map(ToString::to_string).collect();
        let stopped =
            if stopped.is_empty() { String::new() } else { format!(" (stopped: {})", stopped.join(" ")) };
        let wanted = if saved.wanted { "runs" } else { "stopped" };
        writeln!(out, "{:<24}  {wanted:<7}  {:>7}  {}{stopped}", saved.app, saved.release, counts.join(" "))?;
    }
    out.flush()?;
    Ok(Outcome::Done)
}

fn row(saved: &SavedApp) -> Value {
    let formation: serde_json::Map<String, Value> =
        saved.deployed.scale.iter().map(|entry| (entry.name.clone(), entry.count.into())).collect();
    let stopped: Vec<String> = saved.stopped.iter().map(ToString::to_string).collect();
    json!({
        "app": saved.app, "wanted": saved.wanted, "release": saved.release, "kind": saved.deployed.kind,
        "place": saved.deployed.place, "scheduler": saved.deployed.scheduler, "formation": formation, "stopped": stopped,
    })
}
