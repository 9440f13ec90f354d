//! `processes`: the running processes of an app, natively or in its containers, one row each.

use std::io::{self, Write};

use anyhow::Result;
use formation::AppName;
use ps_cli::Format;
use ps_cli::exit::{Outcome, Refusal};
use ps_cli::say;
use ps_rows::ProcessRow;
use ps_scheduler::OsProcess;

use crate::args::ProcessesArgs;
use crate::session::Session;

pub(crate) fn run(session: &Session, args: &ProcessesArgs) -> Result<Outcome> {
    let world = &session.world;
    let app: AppName = ps_triggers::visible_app::<anyhow::Error>(world, &args.app)?;
    let scheduler = world.scheduler_name(&app)?;
    let Some(processes) = ps_schedulers::processes(world, &scheduler, &app)? else {
        return Err(Refusal::failed(format!(
            "{app} runs via {scheduler}, whose processes are not on this machine, or not known here"
        )));
    };
    for sentence in &processes.elsewhere {
        say::warning(sentence);
    }
    let processes = processes.here;
    let rows: Vec<ProcessRow<'_>> =
        processes.iter().map(|process| ProcessRow::of(app.as_str(), process)).collect();
    let mut out = io::stdout().lock();
    match args.format() {
        Format::Json => ps_rows::json_lines(&mut out, &rows)?,
        Format::Csv => ps_rows::processes_csv(&mut out, &rows)?,
        Format::Text => text(&mut out, &processes)?,
    }
    out.flush()?;
    Ok(Outcome::Done)
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

/// Control characters are replaced, so that a command line cannot control the reader's terminal.
fn printable(command: &str) -> String {
    command.chars().map(|character| if character.is_control() { '?' } else { character }).collect()
}
