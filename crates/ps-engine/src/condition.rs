//! The state of a container, read from the two words of the engine's list, `State` and `Status`.

use formation::{Exit, State};

/// State and last exit of a container with these two words, for example `exited` and `Exited (137) 3 seconds ago`.
/// The list does not tell whether a container was stopped or gave up. An exit status of 0, SIGTERM or SIGKILL counts
/// as [`State::Stopped`], any other as [`State::Crashed`].
pub(crate) fn read(state: &str, status: &str) -> (State, Option<Exit>) {
    let exit = exit_status(status);
    let state = match state {
        "running" if status.contains("(unhealthy)") => State::Unhealthy,
        "running" if status.contains("(health: starting)") => State::Starting,
        "running" => State::Running,
        "paused" => State::Unhealthy,
        "restarting" => State::Backoff,
        "stopping" | "removing" => State::Stopping,
        "created" => State::Stopped,
        "exited" | "dead" => ended(exit),
        _ => State::Unknown,
    };
    let exit = exit.filter(|_| matches!(state, State::Backoff | State::Stopped | State::Crashed));
    (state, exit)
}

/// How a process ended, from the exit status that the engine reports: 128 + n means signal n.
pub fn exit_of(code: i64) -> Option<Exit> {
    let code = i32::try_from(code).ok()?;
    Some(if (129..=159).contains(&code) { Exit::Signal(code - 128) } else { Exit::Code(code) })
}

fn ended(exit: Option<Exit>) -> State {
    match exit {
        None | Some(Exit::Code(0) | Exit::Signal(9 | 15)) => State::Stopped,
        Some(Exit::Code(_) | Exit::Signal(_)) => State::Crashed,
    }
}

fn exit_status(status: &str) -> Option<Exit> {
    let (_, rest) = status.split_once('(')?;
    let (code, _) = rest.split_once(')')?;
    exit_of(code.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_the_engine_lists_has_a_meaning() {
        for (state, status, meaning) in [
            ("running", "Up 5 minutes", (State::Running, None)),
            ("running", "Up 5 minutes (healthy)", (State::Running, None)),
            ("running", "Up 1 second (health: starting)", (State::Starting, None)),
            ("running", "Up 5 minutes (unhealthy)", (State::Unhealthy, None)),
            ("paused", "Up 5 minutes (Paused)", (State::Unhealthy, None)),
            ("restarting", "Restarting (3) 1 second ago", (State::Backoff, Some(Exit::Code(3)))),
            ("created", "Created", (State::Stopped, None)),
            ("exited", "Exited (0) 2 hours ago", (State::Stopped, Some(Exit::Code(0)))),
            ("exited", "Exited (143) 2 hours ago", (State::Stopped, Some(Exit::Signal(15)))),
            ("exited", "Exited (137) 2 hours ago", (State::Stopped, Some(Exit::Signal(9)))),
            ("exited", "Exited (139) 2 hours ago", (State::Crashed, Some(Exit::Signal(11)))),
            ("exited", "Exited (255) 2 hours ago", (State::Crashed, Some(Exit::Code(255)))),
            ("removing", "Removal In Progress", (State::Stopping, None)),
            ("dead", "Dead", (State::Stopped, None)),
            ("", "", (State::Unknown, None)),
        ] {
            assert_eq!(read(state, status), meaning, "{state}, {status}");
        }
    }
}
