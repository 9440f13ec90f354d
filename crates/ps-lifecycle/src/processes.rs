//! `processes`: what runs of an app, natively or in its containers, one row a process.

use std::io::{self, Write};

use anyhow::Result;
use formation::AppName;
use ps_cli::Format;
use ps_cli::exit::{Outcome, Refusal};
use ps_scheduler::OsProcess;
use serde::Serialize;

use crate::args::ProcessesArgs;
use crate::session::Session;

/// One process, in JSON and CSV.
#[derive(Serialize)]
struct Row<'a> {
    app: &'a str,
    process_type: &'a str,
    index: u16,
    pid: u32,
    user: &'a str,
    cpu_percent: f64,
    memory_bytes: u64,
    elapsed: &'a str,
    command: &'a str,
}

pub(crate) fn run(session: &Session, args: &ProcessesArgs) -> Result<Outcome> {
    let world = &session.world;
    let app: AppName = ps_triggers::visible_app::<anyhow::Error>(world, &args.app)?;
    let scheduler = world.scheduler_name(&app)?;
    let Some(processes) = ps_schedulers::processes(world, &scheduler, app.as_str())? else {
        return Err(Refusal::failed(format!(
            "{app} runs via {scheduler}, whose processes are not on this machine, or not known here"
        )));
    };
    let rows: Vec<Row<'_>> = processes.iter().map(|process| row(&app, process)).collect();
    let mut out = io::stdout().lock();
    match if args.json { Format::Json } else { args.format } {
        Format::Json => {
            for row in &rows {
                serde_json::to_writer(&mut out, row).map_err(io::Error::from)?;
                writeln!(out)?;
            }
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(&mut out);
            rows.iter().try_for_each(|row| csv.serialize(row))?;
            csv.flush()?;
        }
        Format::Text => text(&mut out, &processes)?,
    }
    out.flush()?;
    Ok(Outcome::Done)
}

fn row<'a>(app: &'a AppName, process: &'a OsProcess) -> Row<'a> {
    Row {
        app: app.as_str(),
        process_type: process.slot.process_type.as_str(),
        index: process.slot.index,
        pid: process.pid,
        user: &process.user,
        cpu_percent: process.cpu_percent,
        memory_bytes: process.memory_bytes,
        elapsed: &process.elapsed,
        command: &process.command,
    }
}

fn text(out: &mut impl Write, processes: &[OsProcess]) -> Result<()> {
    let slots: Vec<String> = processes.iter().map(|process| process.slot.to_string()).collect();
    let width = slots.iter().map(String::len).max().unwrap_or_default().max("PROCESS".len());
    writeln!(
        out,
        "{:<width$}  {:>7}  {:<10}  {:>5}  {:>8}  {:>12}  COMMAND",
        "PROCESS", "PID", "USER", "%CPU", "KIB", "ELAPSED"
    )?;
    for (slot, process) in slots.iter().zip(processes) {
        let kib = process.memory_bytes / 1024;
        let (pid, user, cpu, elapsed) = (process.pid, &process.user, process.cpu_percent, &process.elapsed);
        let command = printable(&process.command);
        writeln!(
            out,
            "{slot:<width$}  {pid:>7}  {user:<10}  {cpu:>5.1}  {kib:>8}  {elapsed:>12}  {command}"
        )?;
    }
    Ok(())
}

/// An app must not steer the terminal of who looks at it.
fn printable(command: &str) -> String {
    command.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}
