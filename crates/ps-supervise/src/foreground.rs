//! `ps-supervise` in a source directory: the same supervisor in a directory of its own, its logs copied to stdout, as
//! `foreman start` does. Nothing is left when it ends.

use std::collections::BTreeMap;
use std::env;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use procfile::Procfile;
use ps_cli::exit::Outcome;
use ps_supervisor::{LOG_DIRECTORY, ProcessSpec, SPEC_FILE, Spec, Supervisor, Until};

const PAUSE: Duration = Duration::from_millis(30);
const BASE_PORT: u16 = 5000;
const GRACE_SECONDS: u64 = 10;

/// Runs a directory's Procfile until everything has ended or somebody ends it.
pub(crate) fn run(directory: &Path) -> Result<Outcome> {
    let spec = spec(directory)?;
    let service =
        tempfile::Builder::new().prefix("ps-supervise-").tempdir().context("make a service directory")?;
    let json = serde_json::to_vec_pretty(&spec)?;
    fs::write(service.path().join(SPEC_FILE), json).context("write the spec")?;
    let mut supervisor = Supervisor::open(service.path())?;
    let done = Arc::new(AtomicBool::new(false));
    let copier = thread::spawn({
        let (service, done) = (service.path().to_owned(), Arc::clone(&done));
        let width = spec.processes.iter().map(|process| process.process_type.len() + 2).max().unwrap_or(0);
        move || Printer { service, width, files: BTreeMap::new() }.run(&done)
    });
    let ran = supervisor.run(Until::AtRest);
    done.store(true, Ordering::Relaxed);
    let joined = copier.join();
    ran?;
    match joined {
        Ok(result) => result?,
        Err(_) => bail!("the printer of the output failed"),
    }
    Ok(Outcome::Done)
}

fn spec(directory: &Path) -> Result<Spec> {
    let path = directory.join("Procfile");
    let bytes = fs::read(&path).with_context(|| format!("read {}", path.display()))?;
    let procfile = Procfile::parse(&bytes).with_context(|| format!("{}", path.display()))?;
    let mut processes = Vec::new();
    let mut places = BTreeMap::new();
    for (place, entry) in procfile.entries().enumerate() {
        let process_type = entry.process_type();
        let command = std::str::from_utf8(entry.command);
        let command = command.with_context(|| format!("{}: {process_type} is not UTF-8", path.display()))?;
        let quantity = u16::from(process_type.as_str() != "release");
        places.insert(process_type.to_string(), u16::try_from(place).unwrap_or(u16::MAX));
        let process_type = process_type.to_string();
        processes.push(ProcessSpec { process_type, command: command.to_owned(), quantity });
    }
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    Ok(Spec {
        app: name.into_owned(),
        revision: 1,
        directory: directory.to_owned(),
        env: env::vars().filter(|(name, _)| name != ps_apps::LOCK_VARIABLE).collect(),
        env_files: vec![directory.join(".env")],
        base_port: env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(BASE_PORT),
        places,
        restart_policy: ps_scheduler::RestartPolicy::default(),
        stop_timeout_seconds: GRACE_SECONDS,
        processes,
        stopped: vec![],
    })
}

/// Copies whole lines from the log files to stdout, each with the name of who wrote it.
struct Printer {
    service: PathBuf,
    width: usize,
    files: BTreeMap<PathBuf, (File, Vec<u8>)>,
}

impl Printer {
    fn run(mut self, done: &AtomicBool) -> io::Result<()> {
        loop {
            let is_last = done.load(Ordering::Relaxed);
            self.find_files();
            let has_printed = self.print()?;
            if is_last {
                return Ok(());
            }
            if !has_printed {
                thread::sleep(PAUSE);
            }
        }
    }

    fn find_files(&mut self) {
        let Ok(entries) = fs::read_dir(&self.service) else { return };
        for entry in entries.flatten() {
            for stream in ["stdout", "stderr"] {
                let path = entry.path().join(LOG_DIRECTORY).join(stream);
                if !self.files.contains_key(&path)
                    && let Ok(file) = File::open(&path)
                {
                    self.files.insert(path, (file, Vec::new()));
                }
            }
        }
    }

    fn print(&mut self) -> io::Result<bool> {
        let mut out = io::stdout().lock();
        let mut has_printed = false;
        for (path, (file, pending)) in &mut self.files {
            let slot =
                path.ancestors().nth(2).and_then(Path::file_name).unwrap_or_default().to_string_lossy();
            file.take(1 << 16).read_to_end(pending)?;
            while let Some(end) = pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = pending.drain(..=end).collect();
                write!(out, "{slot:width$} | ", width = self.width)?;
                out.write_all(&line)?;
                has_printed = true;
            }
        }
        out.flush()?;
        Ok(has_printed)
    }
}
