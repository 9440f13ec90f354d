//! Runs other programs of the installation, and passes on their output.

use std::io::{BufRead, BufReader, Read};
use std::process::{self, Stdio};
use std::sync::mpsc::SyncSender;
use std::thread;

use formation::AppName;
use ps_apps::World;

use super::thread::spawn;
use crate::command::Command;
use crate::message::Message;
use crate::subject::Subject;

/// How many bytes of a program's output are read, if it is shown as a whole.
const MOST: u64 = 256 << 10;

/// Asks `ps-explain`.
pub(crate) fn explain(subject: Subject, to: SyncSender<Message>) {
    let last = to.clone();
    spawn("explain", &last, move || {
        let words = [Some(subject.app.to_string()), subject.slot.as_ref().map(ToString::to_string)];
        let text = match output("ps-explain", &words.into_iter().flatten().collect::<Vec<_>>()) {
            Ok((text, _)) => text,
            Err(error) => error,
        };
        let _ = to.send(Message::Explained { subject, text });
    });
}

/// Has a change of scale forecast.
pub(crate) fn foresee(
    world: World,
    (app, process_type, by): (AppName, String, i32),
    to: SyncSender<Message>,
) {
    let last = to.clone();
    spawn("forecast", &last, move || {
        let present = world
            .formation(&app)
            .ok()
            .and_then(|formation| formation.effective().get(process_type.as_str()).copied());
        let wanted = (present.unwrap_or(0) + i64::from(by)).max(0);
        let counts = [format!("{process_type}={wanted}")];
        let command = Command::scale(world.inside_dokku(), app.as_str(), &counts);
        let words = [app.to_string(), counts[0].clone(), "--dry-run".to_owned()];
        let text = match output("ps-scale", &words) {
            Ok((text, _)) => text.lines().map(str::to_owned).collect(),
            Err(error) => vec![error],
        };
        let _ = to.send(Message::Foreseen { command, text });
    });
}

/// Runs a command, and passes on its output while it runs. It continues if the receiver is gone.
pub(crate) fn carry_out(deed: usize, command: Command, to: SyncSender<Message>) {
    let last = to.clone();
    spawn("deed", &last, move || {
        let how = run(deed, &command, &to);
        let _ = to.send(Message::Ended { deed, how });
    });
}

fn run(deed: usize, command: &Command, to: &SyncSender<Message>) -> Result<(), String> {
    let mut child = begin(command.program, &command.arguments)?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        scope.spawn(|| out.map(|out| tell(deed, out, to)));
        if let Some(err) = err {
            tell(deed, err, to);
        }
    });
    let status = child.wait().map_err(|error| error.to_string())?;
    if status.success() { Ok(()) } else { Err(format!("{} {status}", command.program)) }
}

fn tell(deed: usize, from: impl Read, to: &SyncSender<Message>) {
    let mut from = BufReader::new(from);
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
        let text = String::from_utf8_lossy(&line).trim_end().to_owned();
        line.clear();
        if to.send(Message::Said { deed, line: text }).is_err() {
            return;
        }
    }
}

/// The output of a program on both streams, and whether it succeeded.
fn output(program: &str, words: &[String]) -> Result<(String, bool), String> {
    let mut child = begin(program, words)?;
    let err = child.stderr.take();
    let said = thread::spawn(move || {
        let mut said = String::new();
        let _ = err.map(|err| err.take(MOST).read_to_string(&mut said));
        said
    });
    let mut text = String::new();
    let _ = child.stdout.take().map(|out| out.take(MOST).read_to_string(&mut text));
    let is_success = child.wait().is_ok_and(|status| status.success());
    text.push_str(&said.join().unwrap_or_default());
    Ok((text, is_success))
}

/// Starts a program of this installation, or Dokku.
fn begin(program: &str, words: &[String]) -> Result<process::Child, String> {
    let path = if program == "dokku" { Some(program.into()) } else { os_process::sister(program) };
    let path = path.ok_or_else(|| format!("{program} is not installed beside ps-top"))?;
    let mut command = process::Command::new(path);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().map_err(|error| format!("{program}: {error}"))
}
